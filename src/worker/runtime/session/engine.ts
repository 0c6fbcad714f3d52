// The contract of an engine: what it must do to run models on a backend.
import type { WorkerMemory } from "../../../shared/protocol.js";
import type { EmbeddingSpec, OutputSpec, TensorSpec } from "../../../shared/types/manifest.js";
import type { BackendReport, PlanInfo } from "../../../shared/types/model.js";
import type { Backend, TensorData } from "../../../shared/types/tensor.js";
import type { SelfTest } from "../../package/self-test-files.js";
import type { ModelJson } from "../../package/topology.js";
import type { StoredPlan } from "../plan/stored-plan.js";

/** A verified package; its weights are read when they are requested. */
export interface ModelSource {
  model: ModelJson;
  /** The weight files' bytes in the order of the model's weight specs, cut anywhere; each call starts from the beginning. A chunk is valid until the next is requested. */
  weights: () => AsyncIterable<ArrayBuffer>;
  inputs: TensorSpec[];
  /** The only outputs that are computed and read back. */
  outputs: OutputSpec[];
  /** What `embed` computes. */
  embedding?: EmbeddingSpec;
  /** Present when the graph may be rewritten to be cheaper; stores the rewritten graph between loads. */
  rewrites?: NoteCell;
  /** Present where plans may be used. */
  plans?: PlanStore;
  /** Keeps the plans on WebGPU; present where plans may be used. */
  gpuPlans?: NoteCell;
  /** Why no plan may be made. */
  noPlans?: string;
}

/** Stored for a graph whose rewritten form gave wrong outputs. */
export const NO_REWRITES = "none";

/** A value that is kept with the model between loads. Neither call rejects: what cannot be stored is made again. */
export interface NoteCell {
  read(): Promise<unknown>;
  write(value: unknown): Promise<void>;
}

/** The plans of one model. What cannot be read or stored is made again. */
export interface PlanStore {
  /**
   * Those of the package, and those that were stored, each with inputs of its own; what does not fit is left out. Rejects with
   * `model_integrity` where a file of the package is not what its manifest says.
   */
  read(): Promise<StoredPlan[]>;
  /** Those that were stored: only they may run in a memory that holds other models too. */
  own(): Promise<StoredPlan[]>;
  /** None of those that are there now is used again on this device: one has failed, or gave wrong outputs. */
  refuse(): Promise<void>;
  /** Replaces what was stored. */
  write(plans: StoredPlan[]): Promise<void>;
  /** What `keepKernels` stored for these plans. */
  kernels(): Promise<unknown>;
  keepKernels(value: unknown): Promise<void>;
}

/** A way to run a model: a backend, and on wasm the number of threads that compute. */
export interface Target {
  backend: Backend;
  threads?: number;
}

export interface RunResult {
  outputs: Record<string, TensorData>;
  /** Milliseconds until the work was submitted to the device; on a GPU it may still be running then. */
  executeMs: number;
  /** Milliseconds until the outputs were plain data, the rest of the GPU's work included. */
  readbackMs: number;
}

/** Runs of a session's model that were recorded, and are replayed for inputs of the same shapes. */
export interface Plans {
  readonly info: PlanInfo;
  /** True while shapes that were used have no plan yet, and may get one. */
  readonly isWanted: boolean;
  /** True where a batch is run one item after the other, unless it must be joined: it has no plan, and its items have one. */
  readonly isForItems?: boolean;
  /** Takes the next step of making a plan, as long as a run or two. Needs exclusive use of the engine. Rejects as `Session.run` does. */
  advance(selfTests: () => Promise<SelfTest[]>): Promise<void>;
}

/** One model, ready to run on one target. It holds the model's memory until `dispose`. */
export interface Session {
  readonly target: Target;
  /**
   * Runs the model once; `feeds` holds one tensor for each input, already checked against the manifest. For a feed that has a placed image
   * the session may read that instead of `data`. Calls must not overlap. Rejects with `device_lost` when the device was lost,
   * `out_of_memory` when it had too little memory; a lost session never works again.
   */
  run(feeds: Record<string, TensorData>): Promise<RunResult>;
  /** Absent where the backend has no plans. */
  readonly plans?: Plans;
  /** Runs the part of the model that its embedding needs; returns one output, `embedding`, of shape `[batch, numbers]`. Otherwise as `run`. */
  embed(feeds: Record<string, TensorData>): Promise<RunResult>;
  /** Frees the model's memory; a second call does nothing. */
  dispose(): void;
}

/** The engine's library on one target, until `end`. */
export interface Lease {
  readonly target: Target;
  /** Runs one step, during which nothing else may use the engine. Rejects as `Session.run` does. */
  run<T>(step: () => Promise<T>): Promise<T>;
  end(): void;
}

/** Runs models. An engine does not know packages, stores or tasks. Calls of `open` and `run` must not overlap. */
export interface Engine {
  /** Reports whether the backend could run here, and if not why not. Starts nothing that stays. Never throws. */
  probe(backend: Backend): Promise<BackendReport>;
  /** Gets the backend ready, so that `open` need not wait for it. `isPlanned` says that the model is expected to have plans. */
  start(target: Target, isPlanned?: boolean): Promise<void>;
  /** Starts the target if needed and compiles the model on it. Throws where the backend lacks a kernel that the model needs; a run may find more. If it throws, nothing stays allocated. */
  open(source: ModelSource, target: Target): Promise<Session>;
  /** Starts the target if needed, and keeps it running for code that uses the engine's library itself, such as a training. */
  lease(target: Target): Promise<Lease>;
  /** Stops a target and frees its memory and threads; does nothing while a session is open on it. */
  stop(target: Target): void;
  /** Bytes of WebAssembly memory, which never shrinks, and of the tensors in it. */
  memory(): WorkerMemory;
  /** Number of allocated tensors on all backends: equal before and after a call that leaks nothing. */
  tensorCount(): number;
}
