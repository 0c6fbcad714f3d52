// A loaded model: its description, where it runs, and the value and timings of a prediction.

import type { InsituError } from "../errors.js";
import type { InputSpec, ReferenceProfile, TaskKind, TensorSpec } from "./manifest.js";
import type { ArmRole } from "./rollout.js";
import type { Backend, TensorData } from "./tensor.js";

export interface ClassScore {
  label: string;
  index: number;
  /** 0 to 1. */
  score: number;
}

/** In pixels of the image that was passed in (of the model's input, where numbers were passed); `x`, `y` is the top left corner. */
export interface BoundingBox {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Detection extends ClassScore {
  box: BoundingBox;
}

/** The type of `value` for each kind of task. */
export interface PredictionValues {
  classification: ClassScore[];
  detection: Detection[];
  embedding: Float32Array;
  regression: number[];
  /** Best first; `index` is the candidate's place in the list. */
  ranking: { index: number; score: number }[];
  raw: Record<string, TensorData>;
}

/** Duration of each phase in milliseconds; `totalMs` is the time that the caller waited. */
export interface PredictionTimings {
  /** Waiting for other predictions. */
  queueMs: number;
  /** Between the page and the worker, both ways, including the copy of the image. */
  transferMs: number;
  /** Checking the input and converting an image, including the download of an image that is passed as a URL. */
  preprocessMs: number;
  executeMs: number;
  readbackMs: number;
  postprocessMs: number;
  totalMs: number;
}

export type PredictPriority = "high" | "normal" | "low";

/** Options of one prediction that override the manifest's task. */
export interface TaskOptions {
  /** Maximum number of classes, best first. An integer of at least 1. */
  top?: number;
  /** Detections with a lower score are dropped. 0 to 1. */
  minScore?: number;
  /** Of two boxes of one class that overlap (intersection over union) by more, the one with the lower score is dropped. 0 to 1. */
  maxOverlap?: number;
  /** Only classes with these labels are returned; their scores do not change. At least one of `model.info.labels`. */
  labels?: string[];
}

/** The names of {@link TaskOptions}: what else a caller passes does not reach the worker. */
export const TASK_OPTIONS: readonly (keyof TaskOptions)[] = ["top", "minScore", "maxOverlap", "labels"];

/** Which model made a prediction. */
export interface ModelRef {
  name: string;
  version: string;
  release: number;
  digest: string;
  /** Its role in the channel that it was loaded from; absent for a package that was loaded by its own address. */
  arm?: ArmRole;
}

export type LoadPhase = "download" | "verify" | "store" | "compile" | "warmup";

export interface LoadProgress {
  phase: LoadPhase;
  /** Bytes; in `compile` and `warmup` the whole model's bytes once the phase is over, 0 before. */
  loaded: number;
  /** Bytes of all files that the manifest lists. */
  total: number;
}

/** Named as in TensorFlow Serving. A model whose batch size is fixed at 1 runs its predictions one after the other. */
export interface BatchingOptions {
  /**
   * Maximum number of items in one run; rounded down to a power of two.
   * @defaultValue 32
   */
  maxBatchSize?: number;
  /**
   * Milliseconds that a batch which is not full waits for more predictions. With 0 only predictions that wait anyway run together.
   * @defaultValue 0
   */
  batchTimeout?: number;
  /**
   * Maximum number of batches that wait; times `maxBatchSize` it is the maximum number of predictions. A further one rejects with
   * `overloaded`.
   * @defaultValue 8
   */
  maxEnqueuedBatches?: number;
}

export interface BackendRefusal {
  backend: Backend;
  reason: string;
}

/** Speed of a backend on this device: the median of a few runs on one item, read-back included. */
export interface BackendMeasurement {
  backend: Backend;
  /** Threads that computed; wasm only. */
  threads?: number;
  /** Milliseconds. */
  p50Ms: number;
}

/**
 * A plan is one run of the model on wasm that was recorded and is replayed without TensorFlow.js: the same outputs to the last bit, in
 * less time. It is made for shapes of inputs that are used more than once, while no prediction waits.
 */
export interface PlanInfo {
  /** `recording`: a plan is being made. `used`: predictions whose inputs have a shape with a plan replay it. */
  state: "none" | "recording" | "used";
  /** How many shapes of inputs have a plan; a batch size is a shape of its own. At most 4, the ones that were used last. */
  shapes: number;
  /** Why the model, or one of its shapes, has no plan. */
  reason?: string;
  /**
   * How many steps of its plans the library's own kernels compute, which were measured to be faster here. Their outputs differ from
   * TensorFlow.js's in the last bits.
   */
  kernels?: number;
}

/** Initially `backend` is the first that passes the self-test; it changes when a faster one is found, and when one fails. */
export interface ModelInfo extends ModelRef {
  backend: Backend;
  /** Threads that compute; wasm only. */
  threads?: number;
  /** Allowed backends that are not used, with the reason. */
  refused: BackendRefusal[];
  /** Backends that passed the self-test, in the order in which they were measured. */
  measured: BackendMeasurement[];
  plan: PlanInfo;
  inputs: InputSpec[];
  outputs: TensorSpec[];
  task: TaskKind;
  /** Empty where the task has no labels. */
  labels: string[];
  /** What inputs were like when the model was made, where the manifest says it. */
  reference?: ReferenceProfile;
  /** Figures that the training printed, where the manifest has them. */
  metrics?: Record<string, number>;
  /** Where the bytes came from: the package's host, the store of this browser, or this worker's memory. */
  source: "network" | "cache" | "memory";
  /** Set when the model runs but could not be kept in the store; known once `model.stored` has resolved. */
  storeError?: InsituError;
  /** Set when a newer version is stored that no backend could run, so that this older one runs. */
  fellBackFrom?: { version: string; release: number; reason: string };
}

export interface BackendReport {
  backend: Backend;
  available: boolean;
  /** Why it is not available, or a remark such as `software adapter`. */
  reason?: string;
  /** A WebGPU adapter that is computed on the CPU. */
  software?: boolean;
  /** The browser's description of the GPU. */
  adapter?: string;
  /** wasm: how many threads may compute. */
  threads?: number;
}

/** What this browser and page allow. */
export interface Capabilities {
  backends: BackendReport[];
  /** True where the page may share memory between threads, which wasm threads need. */
  crossOriginIsolated: boolean;
  /**
   * False on plain http, other than localhost. Models run there too: hashes and signatures are checked by code instead of the browser.
   * Personal models are refused with `insecure_context`, and WebGPU is not available.
   */
  secureContext: boolean;
  indexedDB: boolean;
}

/** How the files of a package are requested from their host. */
export interface PackageRequestOptions {
  /**
   * Whether cookies and other credentials are sent, as in `fetch`. A host of another origin must then answer with
   * `Access-Control-Allow-Credentials`.
   * @defaultValue "omit"
   */
  credentials?: "omit" | "same-origin" | "include";
  /**
   * Headers by name that are sent with every request for the package, such as `Authorization`. They are never stored and never part
   * of a message. A host of another origin must allow them (`Access-Control-Allow-Headers`). Redirects are not followed with them,
   * since browsers would send them to the other host: such a load rejects with `input_invalid`.
   */
  headers?: Record<string, string>;
}

/** What the worker needs to request a package. */
export interface PackageRequest extends PackageRequestOptions {
  /** Query string with its question mark, sent with every file; never part of the store's key. */
  query?: string;
}

/** A key whose signatures on packages are accepted. */
export interface TrustedKey {
  /** The `keyId` that signatures name it by. */
  id: string;
  /** Base64 of the 32 bytes of an Ed25519 public key, as `insitu keygen` prints it. */
  publicKey: string;
}

/** When set, a package without enough valid signatures is refused with `model_signature`. */
export interface TrustOptions {
  keys: TrustedKey[];
  /**
   * Number of different keys that must have signed.
   * @defaultValue 1
   */
  threshold?: number;
}

export interface Prediction<K extends TaskKind = TaskKind> {
  /** 128 random bits in hex, for `feedback`. */
  id: string;
  value: PredictionValues[K];
  /** The outputs that the manifest names, as the model computed them. */
  outputs: Record<string, TensorData>;
  backend: Backend;
  timings: PredictionTimings;
  model: ModelRef;
}
