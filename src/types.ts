// The plain data that the public API speaks: manifests, tasks, inputs, predictions, options.
import type { ErrorCode, InsituError } from "./errors.js";
import type { TelemetryOptions } from "./telemetry-types.js";

/** A way to compute: the GPU through WebGPU, WebAssembly with SIMD, or plain JavaScript. */
export type Backend = "webgpu" | "wasm" | "cpu";

/** Element types that cross the public API. */
export type DType = "float32" | "int32" | "bool";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** One tensor as plain data; `data` is row-major and as long as the product of `shape`. */
export interface TensorData {
  data: TypedArray;
  shape: number[];
  dtype: DType;
}

// ---- the model package -------------------------------------------------------------------------------------------

/** How pixels become the numbers that a model reads: `(pixel * scale - mean[c]) / std[c]`. */
export interface ImageSpec {
  /** `contain` keeps the whole picture and its aspect ratio, `cover` fills and crops, `stretch` ignores the ratio. */
  fit: "contain" | "cover" | "stretch";
  /** Red, green, blue (0 to 255) of the border that `contain` leaves. Default black. */
  border: [number, number, number];
  /** Factor for a pixel of 0 to 255. Default 1. */
  scale: number;
  /** One number a channel, subtracted after `scale`. Default 0. */
  mean: number[];
  /** One number a channel, the divisor after `mean`. Default 1. */
  std: number[];
}

export interface TensorSpec {
  name: string;
  dtype: DType;
  /** -1 stands for a size that the caller chooses (the batch). */
  shape: number[];
}

export interface InputSpec extends TensorSpec {
  /** Present when the input may be given as a picture; the shape is then `[batch, height, width, 1 or 3]`. */
  image?: ImageSpec;
}

export interface ClassificationTask {
  kind: "classification";
  /** Output that holds one number a class. Default: the first output. */
  output?: string;
  labels: string[];
  /** How many classes `value` lists, best first. Default 5. */
  top?: number;
  /** What turns the output into scores that add up to 1. Default `none` (the model ends in a softmax itself). */
  activation?: "none" | "softmax";
}

/** What one column of a detection row holds; corners are in pixels of the model's input. */
export type DetectionColumn = "left" | "top" | "right" | "bottom" | "score" | "class";

export interface DetectionTask {
  kind: "detection";
  /** Output of shape `[1, rows, columns]`. Default: the first output. */
  output?: string;
  labels: string[];
  columns: DetectionColumn[];
  /** Rows under this score are dropped. Default 0.3. */
  minScore?: number;
  /** Of two boxes of one class that overlap (intersection over union) by more, the weaker is dropped. Default 0.5. */
  maxOverlap?: number;
}

export interface EmbeddingTask {
  kind: "embedding";
  output?: string;
}
export interface RegressionTask {
  kind: "regression";
  output?: string;
}
export interface RankingTask {
  kind: "ranking";
  output?: string;
}
export interface RawTask {
  kind: "raw";
}

export type Task = ClassificationTask | DetectionTask | EmbeddingTask | RegressionTask | RankingTask | RawTask;
export type TaskKind = Task["kind"];

export interface ChunkSpec {
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A file of the package: its whole hash, or the hash of each chunk in order. */
export interface FileSpec {
  /** Relative to the manifest's folder, which it cannot leave. */
  path: string;
  /** Bytes. */
  size: number;
  sha256?: string;
  chunks?: ChunkSpec[];
}

/** Inputs and the outputs that are right for them, as files of the package: a backend that computes others is not used. */
export interface SelfTestSpec {
  /** Path of a file that `files` lists. */
  input: string;
  /** Path of a file that `files` lists. */
  outputs: string;
  /** The largest error, absolute up to outputs of 1 and relative beyond. Default 1e-2 for webgpu, 1e-4 for wasm and cpu. */
  tolerance: Record<Backend, number>;
}

/** What personalisation learns on: a node of the model's graph (of a layers model, a layer). */
export interface EmbeddingSpec {
  node: string;
  /** `mean`: over height and width. Default `mean` for pictures' feature maps, `none` for what has no height and width. */
  pool: "mean" | "none";
}

export interface SignatureSpec {
  keyId: string;
  algorithm: string;
  /** Base64. */
  signature: string;
}

/** `insitu.json`, validated. */
export interface Manifest {
  insitu: 1;
  name: string;
  version: string;
  release: number;
  /** ISO 8601. */
  created?: string;
  expires?: string;
  format: "tfjs-graph-model" | "tfjs-layers-model";
  files: FileSpec[];
  inputs: InputSpec[];
  outputs: TensorSpec[];
  task: Task;
  embedding?: EmbeddingSpec;
  selfTest?: SelfTestSpec[];
  signatures?: SignatureSpec[];
  license?: string;
  source?: string;
  /** Figures that the training printed, such as `{ "heldOutAccuracy": 0.985 }`. */
  metrics?: Record<string, number>;
}

// ---- prediction --------------------------------------------------------------------------------------------------

export interface ClassScore {
  label: string;
  index: number;
  /** 0 to 1. */
  score: number;
}

/** Pixels of the picture that was passed in; `x`, `y` is the top left corner. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Detection extends ClassScore {
  box: Box;
}

/** What `value` is for each kind of task. */
export interface Values {
  classification: ClassScore[];
  detection: Detection[];
  embedding: Float32Array;
  regression: number[];
  /** Best first; `index` is the candidate's place in the list. */
  ranking: { index: number; score: number }[];
  raw: Record<string, TensorData>;
}

/** Milliseconds a phase; `total` is what the caller waited. */
export interface Timings {
  /** Waiting for earlier predictions. */
  queue: number;
  /** Between the page and the worker, both ways, the copy of the picture included. */
  transfer: number;
  preprocess: number;
  execute: number;
  readback: number;
  postprocess: number;
  total: number;
}

/** Anything that holds a picture. Nothing that is passed in is consumed, closed or changed. */
export type ImageInput =
  | ImageBitmap
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | VideoFrame
  | ImageData
  | Blob;

/**
 * A picture, the numbers of the only input, or the numbers of each input by name; always one item, not a batch. Of a ranking one item is a
 * list: the rows of its candidates, joined, as many as there are.
 */
export type PredictInput = ImageInput | TypedArray | Record<string, TypedArray>;

export interface PredictOptions {
  /** Aborting rejects the call with code `aborted`. */
  signal?: AbortSignal;
  /** Milliseconds until the call is rejected with code `timeout`. Default 60,000. */
  timeout?: number;
  /** Of the calls that wait, those of a higher priority run first. Default `normal`. */
  priority?: Priority;
}

export type Priority = "high" | "normal" | "low";

export interface PredictAllOptions {
  /**
   * Inputs that a worker is given at a time; with the number of workers the most predictions that run, and results that wait to
   * be taken. Default 8.
   */
  batchSize?: number;
  /** Aborting ends the sequence with code `aborted`. */
  signal?: AbortSignal;
  /** Milliseconds for each input, from when it was handed to a worker. Default 60,000. */
  timeout?: number;
  /** Called before each result is handed out. */
  onProgress?: (progress: PredictAllProgress) => void;
}

export interface PredictAllProgress {
  /** Results that were handed out. */
  done: number;
  /** Known when the inputs are an array. */
  total?: number;
}

/** What `watch` can watch. A camera's or screen's stream goes into a video element by its `srcObject`. */
export type WatchSource = HTMLVideoElement | HTMLCanvasElement;

export interface WatchOptions {
  /**
   * `frame`, the default: every frame of a video, every repaint of the page for a canvas. A number: no more often than every so
   * many milliseconds.
   */
  every?: "frame" | number;
  /** Aborting ends the watch with code `aborted`. */
  signal?: AbortSignal;
  /** Milliseconds for each prediction. Default 60,000. */
  timeout?: number;
}

/** The predictions of what a source shows; walk it once, with `for await`. Begins with the walk. */
export interface Watch<K extends TaskKind = TaskKind> extends AsyncIterable<Prediction<K>>, AsyncDisposable {
  /** Frames that were shown since the walk began, of those that `every` asks for. */
  readonly seen: number;
  /** Of those, the ones that were not predicted since a newer one came first. */
  readonly dropped: number;
  /** Ends the walk, and the prediction that runs. Twice is safe. */
  stop(): void;
}

/** Which model made a prediction. */
export interface ModelRef {
  name: string;
  version: string;
  release: number;
  digest: string;
}

export interface Prediction<K extends TaskKind = TaskKind> {
  /** 128 random bits in hex: the handle for later feedback. */
  id: string;
  value: Values[K];
  /** The outputs that the manifest names, as the model computed them. */
  outputs: Record<string, TensorData>;
  backend: Backend;
  timings: Timings;
  model: ModelRef;
}

// ---- loading -----------------------------------------------------------------------------------------------------

export type LoadPhase = "download" | "verify" | "store" | "compile" | "warmup";

export interface Progress {
  phase: LoadPhase;
  /** Bytes; in `compile` and `warmup` the whole model's bytes once the phase is over, 0 before. */
  loaded: number;
  /** Bytes of all files that the manifest lists. */
  total: number;
}

export interface LoadOptions<K extends TaskKind = TaskKind> {
  /** Refuses a package of another task with `model_format`, and types `value`. */
  task?: K;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
  /** Milliseconds until the whole load is rejected with code `timeout`. Default 600,000. */
  timeout?: number;
  /**
   * Asks the host first whether there is a newer release, and loads that. Where the host cannot be reached the stored one
   * runs. Default false: what is stored, and has not expired, is loaded without a request.
   */
  refresh?: boolean;
  /** How predictions that wait at the same time are run together. */
  batching?: BatchingOptions;
}

/** By the names of TensorFlow Serving. A model whose batch size is fixed at 1 runs its predictions one after the other. */
export interface BatchingOptions {
  /** Most items in one run; rounded down to a power of two. Default 32. */
  maxBatchSize?: number;
  /** Milliseconds that a lone prediction waits for others. Default 0: only those run together that waited anyway. */
  batchTimeoutMs?: number;
  /** Batches that may wait; with `maxBatchSize` the most predictions that do. A further one rejects with `overloaded`. Default 8. */
  maxEnqueuedBatches?: number;
}

export interface Refusal {
  backend: Backend;
  reason: string;
}

/** How fast a backend ran the model here: the median of a few runs on one item, read-back included. */
export interface Measured {
  backend: Backend;
  /** Threads that computed; wasm only. */
  threads?: number;
  /** Milliseconds. */
  p50Ms: number;
}

/** Of a model that has just been loaded the first backend that computes rightly; it changes when a faster one was found, and when one failed. */
export interface ModelInfo extends ModelRef {
  backend: Backend;
  /** Threads that compute; wasm only. */
  threads?: number;
  /** Backends that were allowed, were not used, and why. */
  refused: Refusal[];
  /** The backends that were tried and are right, in the order in which they were measured. */
  measured: Measured[];
  inputs: InputSpec[];
  outputs: TensorSpec[];
  task: TaskKind;
  /** Empty when the task has none. */
  labels: string[];
  /** Where the bytes came from: the package's host, the store of this browser, or this worker's memory. */
  source: "network" | "cache" | "memory";
  /** Set when the model runs but could not be kept in the store; known once `model.stored` has resolved. */
  storeError?: InsituError;
  /** Set when a newer version is stored that no backend could run, so that this older one runs. */
  fellBackFrom?: { version: string; release: number; reason: string };
}

// ---- the store ---------------------------------------------------------------------------------------------------

/** One version of a package in the store of this browser. */
export interface StoredPackage {
  /** Absolute URL of the package's folder. */
  url: string;
  name: string;
  version: string;
  release: number;
  digest: string;
  /** Bytes of all its files; chunks that packages share are counted in each. */
  bytes: number;
  /** Milliseconds since 1970; the package that was not used for the longest time is evicted first. */
  usedAt: number;
  /** Never evicted for space. */
  pinned: boolean;
}

export interface StoreUsage {
  /** Bytes of all packages, chunks that several share counted once. */
  bytes: number;
  /** The budget, `storage.maxBytes`. */
  maxBytes: number;
  packages: number;
  /** False when the store cannot be used, and models run from memory. */
  available: boolean;
  /** What the browser says of the whole origin. `quota` is a hint only: Chrome reports more than it grants. */
  origin?: { usage: number; quota: number; persisted: boolean };
}

/**
 * What happened in the store. `hit`: a package was loaded without the network; `miss`: it was not there, or could not be
 * used; `corrupt`: a chunk was lost or altered, and is fetched again; `evicted`: a package went to make room; `unavailable`:
 * packages are not kept; `reset`: the browser lost all that was kept.
 */
export type StoreEvent =
  | { type: "hit"; url: string; digest: string }
  | { type: "miss"; url: string; reason: string }
  | { type: "corrupt"; url: string; path: string; sha256: string }
  | { type: "evicted"; url: string; digest: string; bytes: number }
  | { type: "unavailable"; code: ErrorCode; reason: string }
  | { type: "reset" };

// ---- the client --------------------------------------------------------------------------------------------------

export interface BackendReport {
  backend: Backend;
  available: boolean;
  /** Why not, or what to know: `software adapter`, say. */
  reason?: string;
  /** A WebGPU adapter that is computed on the CPU. */
  software?: boolean;
  /** What the browser tells of the GPU. */
  adapter?: string;
  /** wasm: how many threads may compute. */
  threads?: number;
}

export interface Capabilities {
  backends: BackendReport[];
  crossOriginIsolated: boolean;
  indexedDB: boolean;
}

/** An address that a Trusted Types policy of the page vouches for, as `policy.createScriptURL` gives it. */
export interface TrustedScriptAddress {
  toString(): string;
  toJSON(): string;
}

/** Where the worker's script is, or what starts it. */
export type WorkerSource = URL | string | TrustedScriptAddress | (() => Worker);

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
  /** How many different keys must have signed. Default 1. */
  threshold?: number;
}

/** Whether this user agrees to being learned from. */
export type PersonalConsent = "granted" | "denied";

export interface ClientOptions {
  /** What may be used. Default all three. */
  backends?: Backend[];
  /** Where the worker's script is. Default: the one beside the library. */
  worker?: WorkerSource;
  assets?: {
    /** Folder of the tfjs `.wasm` files, absolute or relative to the page. Default: beside the worker. */
    wasm?: string;
  };
  storage?: {
    /** Name of the IndexedDB database. Default `insitu`. */
    name?: string;
    /** Bytes. Default 500 MB. */
    maxBytes?: number;
  };
  /** Keys that packages must be signed with. Default: packages need no signature. */
  trust?: TrustOptions;
  memory?: {
    /**
     * Bytes of WebAssembly memory from which on a worker is replaced as soon as it is idle, if it uses less than half of them: such
     * memory never shrinks. Its models are loaded again with the next call. Default 1 GB, on iOS 256 MB.
     */
    maxBytes?: number;
  };
  /** Most workers that predict at the same time; each holds its own copy of the models that it runs. Default 1. */
  pool?: number;
  telemetry?: TelemetryOptions;
  /** `denied`: nothing is learned until `client.personal.setConsent("granted")`. Default `granted`: what is learned stays in this browser. */
  personalization?: { consent?: PersonalConsent };
  /** False keeps nothing of what was predicted; `feedback` is refused then. Default true: class, confidence and time stay for 7 days. */
  monitor?: boolean;
}
