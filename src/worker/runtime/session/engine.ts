// The contract of an engine: what it must do to run models on a backend, a sentence a method.

import type { WorkerMemory } from "../../../shared/protocol.js";
import type { EmbeddingSpec, TensorSpec } from "../../../shared/types/manifest.js";
import type { BackendReport } from "../../../shared/types/model.js";
import type { Backend, TensorData } from "../../../shared/types/tensor.js";
import type { ModelJson } from "../../package/topology.js";

/** A verified package; its weights come as they are asked for. */
export interface ModelSource {
  model: ModelJson;
  /** The weight files' bytes in the order of the model's weight specs, cut anywhere, from the start at each call; each is good until the next is asked for. */
  weights: () => AsyncIterable<ArrayBuffer>;
  inputs: TensorSpec[];
  /** The only outputs that are computed and read back. */
  outputs: TensorSpec[];
  /** What `embed` computes. */
  embedding?: EmbeddingSpec;
  /** Present when the graph may be rewritten to be cheaper: where what that gave is kept between loads. */
  rewrites?: RewriteCache;
}

/** What is kept for a graph whose rewritten form was seen to be wrong. */
export const NO_REWRITES = "none";

/** Neither call rejects: what cannot be kept is made again. */
export interface RewriteCache {
  read(): Promise<unknown>;
  write(value: unknown): Promise<void>;
}

/** A way to run a model: a backend, and on wasm the number of threads that compute. */
export interface Target {
  backend: Backend;
  threads?: number;
}

export interface RunResult {
  outputs: Record<string, TensorData>;
  /** Milliseconds until the work was handed to the device; on a GPU it may still be running then. */
  executeMs: number;
  /** Milliseconds until the outputs were plain data, the rest of the GPU's work included. */
  readbackMs: number;
}

/** One model, ready to run on one target. It holds the model's memory until `dispose`. */
export interface Session {
  readonly target: Target;
  /**
   * Runs the model once; `feeds` holds one tensor an input, already checked against the manifest. One that has a picture may be read
   * off that, without its `data`. Calls must not overlap. Rejects
   * with `device_lost` when the device died, `out_of_memory` when it had no room; a lost session never works again.
   */
  run(feeds: Record<string, TensorData>): Promise<RunResult>;
  /** Runs the part of the model that its embedding needs; answers one output, `embedding`, of shape `[batch, numbers]`. Otherwise as `run`. */
  embed(feeds: Record<string, TensorData>): Promise<RunResult>;
  /** Frees what the model holds; a second call does nothing. */
  dispose(): void;
}

/** The engine's library on one target, until `end`. */
export interface Lease {
  readonly target: Target;
  /** One step, during which nothing else may use the engine. Rejects as `Session.run` does. */
  run<T>(step: () => Promise<T>): Promise<T>;
  end(): void;
}

/** What can run models. It knows nothing of packages, stores, pictures or tasks. Calls that run or open must not overlap. */
export interface Engine {
  /** Starts nothing for good: says whether the backend could run here, and if not why not. Never throws. */
  probe(backend: Backend): Promise<BackendReport>;
  /** Ops of the model for which the backend has no kernel; it may find more when it runs. */
  missingOps(model: ModelJson, backend: Backend): string[];
  /** Starts the backend, if it does not run yet, so that `open` need not. */
  start(target: Target): Promise<void>;
  /** Starts the target if needed and compiles the model on it. Throws when either cannot be done; nothing stays allocated then. */
  open(source: ModelSource, target: Target): Promise<Session>;
  /** Starts the target if needed, and keeps it for what computes with the engine's own library there: a training. */
  lease(target: Target): Promise<Lease>;
  /** Ends a target, and frees its memory and threads; does nothing while a session is open on it. */
  stop(target: Target): void;
  /** Bytes of WebAssembly memory, which never shrinks, and of the tensors in it. */
  memory(): WorkerMemory;
  /** Tensors that live on all backends: equal before and after a call that leaks nothing. */
  tensorCount(): number;
}
