// The graph of a model as plain data.

/** A node of `modelTopology.node` in tfjs's model.json; attributes are in TensorFlow's JSON form (`{ i }`, `{ s }`, `{ type }`, `{ list }`). */
export interface GraphNode {
  name: string;
  op: string;
  input: string[];
  attr: Record<string, unknown>;
}

export type Values = Float32Array | Int32Array | Uint8Array;

export interface Constant {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
  values: Values;
}

export interface Graph {
  nodes: GraphNode[];
  /** Names of the nodes that are fed, or `name:1`. */
  inputs: string[];
  /** Names of the nodes that are read, or `name:1`. */
  outputs: string[];
  /** Shape and dtype of every weight by the name of its Const node. */
  weights: Map<string, { shape: number[]; dtype: Constant["dtype"] }>;
}
