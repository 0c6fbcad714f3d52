// Options and inputs of the public API that only the page needs.

import type { TaskKind } from "../shared/types/manifest.js";
import type {
  BatchingOptions,
  LoadProgress,
  PackageRequestOptions,
  Prediction,
  PredictPriority,
  TrustOptions,
} from "../shared/types/model.js";
import type { Backend, TypedArray } from "../shared/types/tensor.js";
import type { TelemetryOptions } from "./lazy/telemetry/types.js";

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
  priority?: PredictPriority;
}

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

export interface LoadOptions<K extends TaskKind = TaskKind> {
  /** Refuses a package of another task with `model_format`, and types `value`. */
  task?: K;
  onProgress?: (progress: LoadProgress) => void;
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
  /**
   * How the package's files are requested: credentials and headers. The query string of the package's URL needs no option: it is
   * sent with every file.
   * @defaultValue no credentials and no headers
   * @example
   * ```ts
   * const model = await client.load("https://models.example/objects/1.0.0/?v=3", {
   *   request: { headers: { Authorization: `Bearer ${token}` } },
   * });
   * ```
   */
  request?: PackageRequestOptions;
}

/** An address that a Trusted Types policy of the page vouches for, as `policy.createScriptURL` gives it. */
export interface TrustedScriptAddress {
  toString(): string;
  toJSON(): string;
}

/** Where the worker's script is, or what starts it. */
export type WorkerSource = URL | string | TrustedScriptAddress | (() => Worker);

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
