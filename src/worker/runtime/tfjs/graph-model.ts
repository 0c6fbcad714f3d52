// Opens a graph model on tfjs: weights are decoded as they arrive, the graph is rewritten to be cheaper, and stored for the next load.
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import { clone, dispose, io, type NamedTensorMap, Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import type { ModelJson } from "../../package/topology.js";
import { checkOutputSizes } from "../graph/output-sizes.js";
import { readable } from "../graph/readable.js";
import { type Rewritten, rewrite } from "../graph/rewrite.js";
import type { Constant, Graph, GraphNode } from "../graph/types.js";
import { type ModelSource, NO_REWRITES, type Session, type Target } from "../session/engine.js";
import type { RunningBackend } from "./backends.js";
import { limitLoops } from "./loop-budget.js";
import { compileInParallel } from "./parallel-compile.js";
import { createSession } from "./session.js";
import { decodeWeights } from "./weights.js";

// Ops whose results depend on the data: tfjs runs them in `executeAsync` only (graph_executor.js, isControlFlow and isDynamicShape).
const ASYNC_OPS = new Set([
  ...["Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "If", "StatelessIf", "While", "StatelessWhile"],
  ...["NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "Where"],
]);

interface Topology {
  node: GraphNode[];
  library?: { function?: unknown[] };
}

export async function openGraph(source: ModelSource, target: Target, running: RunningBackend): Promise<Session> {
  const topology = source.model.json.modelTopology as Topology;
  const { nodes, tensors } = await prepare(source, topology, target, running);
  const { json, weightSpecs } = source.model;
  const artifacts = {
    ...json,
    modelTopology: { ...topology, node: nodes },
    weightSpecs,
    weightData: new ArrayBuffer(0),
  };
  let model: GraphModel;
  try {
    // tfjs's own decoder needs all bytes at once, and keeps them beside the tensors.
    const handler = { load: async () => artifacts as unknown as io.ModelArtifacts };
    model = await loadGraphModel(handler, {}, { ...io, decodeWeights: () => tensors });
  } catch (error) {
    dispose(tensors);
    throw error;
  }
  const names = source.outputs.map((output) => output.name);
  // Functions are the bodies of loops and branches.
  const isAsync = (topology.library?.function?.length ?? 0) > 0 || nodes.some(({ op }) => ASYNC_OPS.has(op));
  const beginRun = limitLoops(model);
  const executeAsync = (feeds: NamedTensorMap, wanted: string | string[]) => {
    beginRun();
    return model.executeAsync(feeds, wanted);
  };
  const constants = new Set(Object.values(model.weights).flat());
  /**
   * Makes a result of `executeAsync` the caller's own to dispose: a constant of the model or an input is cloned. What the run alone made must
   * not be, or it would never be freed: tfjs's tidy cannot wait.
   */
  const owned = (result: Tensor, feeds: NamedTensorMap) =>
    constants.has(result) || Object.values(feeds).includes(result) ? clone(result) : result;
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    isAsync
      ? list(await executeAsync(feeds, names)).map((result) => owned(result, feeds))
      : // Clones, since an output may be one of the model's constants, and what is returned here is disposed.
        tidy(() => list(model.execute(feeds, names)).map(clone));
  const embedding = isPart(source, nodes) ? source.embedding : undefined;
  const embed =
    embedding &&
    (async (feeds: NamedTensorMap): Promise<Tensor> =>
      isAsync
        ? owned((await executeAsync(feeds, embedding.node)) as Tensor, feeds)
        : tidy(() => clone(model.execute(feeds, embedding.node) as Tensor)));
  // A graph whose control flow depends on data cannot be run without data.
  if (target.backend === "webgpu" && !isAsync) await compileInParallel(source.inputs, execute);
  const noPlan = isAsync ? "the model has control flow, or results whose size depends on the input" : undefined;
  return createSession({ source, target, running, execute, embed, noPlan, free: () => model.dispose() });
}

/** A missing node is reported by `embed`; predictions work without it. */
function isPart({ embedding }: ModelSource, nodes: GraphNode[]): boolean {
  return nodes.some(({ name }) => name === embedding?.node);
}

function list(result: Tensor | Tensor[] | NamedTensorMap): Tensor[] {
  if (Array.isArray(result)) return result;
  return result instanceof Tensor ? [result] : Object.values(result);
}

interface Prepared {
  nodes: GraphNode[];
  tensors: NamedTensorMap;
}

/** The graph to run and its constants on the device. A graph that cannot be rewritten runs as it is. */
async function prepare(
  source: ModelSource,
  topology: Topology,
  { backend }: Target,
  { use }: RunningBackend,
): Promise<Prepared> {
  const { model, weights, rewrites } = source;
  const stored = await rewrites?.read();
  const graph = attempt(() => graphOf(source, topology));
  const wanted = graph && attempt(() => readable(graph));
  const cached = rewrites && fromRow(stored, model);
  const { tensors, values } = await decodeWeights(model.weightSpecs, weights(), backend, {
    use,
    keep: cached ? undefined : wanted,
    skip: cached?.unused,
  });
  if (!graph || !wanted) return { nodes: topology.node, tensors };
  const isRewritten = rewrites && stored !== NO_REWRITES;
  const rewritten = cached ?? (isRewritten ? attempt(() => rewrite(graph, values)) : undefined);
  try {
    if (!cached) checkSizes(graph, values, rewritten);
  } catch (error) {
    dispose(tensors);
    throw error;
  }
  if (!rewritten) return { nodes: topology.node, tensors };
  for (const name of rewritten.unused) {
    tensors[name]?.dispose();
    delete tensors[name];
  }
  for (const [name, { values: data, shape, dtype }] of rewritten.constants) tensors[name] = tensor(data, shape, dtype);
  // Small ones are kept by the tensors as they are, so the copy is taken first.
  if (!cached) void rewrites?.write(toRow(rewritten));
  return { nodes: rewritten.nodes, tensors };
}

/** In the graph as it is, and in the rewritten one, where shapes that depend on other shapes have become constants. */
function checkSizes(graph: Graph, values: Map<string, Constant>, rewritten: RewrittenGraph | undefined): void {
  checkOutputSizes(graph, values);
  if (!rewritten) return;
  const { nodes, constants } = rewritten;
  const all = new Map([...values, ...constants]);
  checkOutputSizes({ ...graph, nodes, weights: new Map([...graph.weights, ...constants]) }, all);
}

function graphOf(source: ModelSource, { node }: Topology): Graph {
  const { model, inputs, outputs, embedding } = source;
  const names = outputs.map(({ name }) => name);
  return {
    // model.json leaves empty fields out.
    nodes: node.map((given) => ({ ...given, input: given.input ?? [], attr: given.attr ?? {} })),
    inputs: inputs.map(({ name }) => name),
    // The embedding's node must stay in the graph.
    outputs: embedding && isPart(source, node) ? [...names, embedding.node] : names,
    weights: new Map(model.weightSpecs.map(({ name, shape, dtype }) => [name, { shape, dtype }])),
  };
}

/** A graph that makes a rewrite throw runs unchanged: tfjs's message says better what is wrong with it. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

// ---- stored between loads ----------------------------------------------------------------------------------------

/** Raised whenever a rewrite changes: rows that an earlier version of the library stored are ignored. */
const REWRITES = 1;

interface Row {
  version: number;
  nodes: GraphNode[];
  constants: [name: string, constant: Constant][];
  unused: string[];
}

type RewrittenGraph = Omit<Rewritten, "applied">;

const toRow = ({ nodes, constants, unused }: RewrittenGraph): Row => ({
  version: REWRITES,
  nodes,
  constants: [...constants],
  unused: [...unused],
});

function fromRow(stored: unknown, { weightSpecs }: ModelJson): RewrittenGraph | undefined {
  const row = stored as Partial<Row> | undefined;
  if (row?.version !== REWRITES || !row.nodes || !row.constants || !row.unused) return undefined;
  const given = new Set(weightSpecs.map(({ name }) => name));
  // The row is damaged or from another model if it names weights that this model does not have.
  if (!row.unused.every((name) => given.has(name))) return undefined;
  return { nodes: row.nodes, constants: new Map(row.constants), unused: new Set(row.unused) };
}
