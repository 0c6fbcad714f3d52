// The contract of an engine: what it must do to run models on a backend, a sentence a method.
import type { ModelJson } from "../model/topology.js";
import type { Backend, BackendReport, TensorData, TensorSpec } from "../types.js";

/** A verified package; its weights come as they are asked for. */
export interface ModelSource {
  model: ModelJson;
  /** The weight files' bytes in the order of the model's weight specs, cut anywhere, from the start at each call; each is good until the next is asked for. */
  weights: () => AsyncIterable<ArrayBuffer>;
  inputs: TensorSpec[];
  /** The only outputs that are computed and read back. */
  outputs: TensorSpec[];
}

export interface Ran {
  outputs: Record<string, TensorData>;
  /** Milliseconds until the work was handed to the device; on a GPU it may still be running then. */
  executeMs: number;
  /** Milliseconds until the outputs were plain data, the rest of the GPU's work included. */
  readbackMs: number;
}

/** One model, ready to run on one backend. It holds the model's memory until `dispose`. */
export interface Session {
  readonly backend: Backend;
  /** Runs the model once; `feeds` holds one tensor an input, already checked against the manifest. Calls must not overlap. */
  run(feeds: Record<string, TensorData>): Promise<Ran>;
  /** Frees what the model holds; a second call does nothing. */
  dispose(): void;
}

/** What can run models. It knows nothing of packages, stores, pictures or tasks. */
export interface Engine {
  /** Starts nothing for good: says whether the backend could run here, and if not why not. Never throws. */
  probe(backend: Backend): Promise<BackendReport>;
  /** Starts the backend if needed and compiles the model on it. Throws when either cannot be done; nothing stays allocated then. */
  open(source: ModelSource, backend: Backend): Promise<Session>;
  /** Tensors that live on all backends: equal before and after a call that leaks nothing. */
  tensorCount(): number;
}
