// Options and inputs of the public API that only the page needs.

import type { InsituError } from "../shared/errors.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type {
  BatchingOptions,
  LoadProgress,
  PackageRequestOptions,
  Prediction,
  PredictPriority,
  TrustOptions,
} from "../shared/types/model.js";
import type { Backend, ShapedNumbers, TypedArray } from "../shared/types/tensor.js";
import type { MonitorLimits } from "./lazy/drift/types.js";
import type { TelemetryOptions } from "./lazy/telemetry/types.js";

/**
 * An image. Nothing that is passed in is consumed, closed or changed. A string or `URL` is the address of an image, relative to the
 * page: the worker fetches it with the page's credentials for its own origin. Another origin's server must allow the page by CORS.
 */
export type ImageInput =
  | ImageBitmap
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | VideoFrame
  | ImageData
  | Blob
  | string
  | URL;

/**
 * One item, not a batch: an image or the numbers of the only input, or an object with an image or numbers for each input by name. Numbers
 * are row-major, as long as the product of the input's shape, in an array of its dtype. They come with a shape where the model leaves more
 * than one size open besides the batch. For a ranking one item is a list: the rows of all candidates, joined.
 *
 * @example
 * ```ts
 * await model.predict(document.querySelector("img")!);
 * await model.predict("/photos/cat.jpg");
 * await model.predict({ content: canvas, style: new Float32Array(8 * 8 * 3) });
 * await model.predict({ data: new Float32Array(40 * 30 * 3), shape: [1, 40, 30, 3] });
 * ```
 */
export type PredictInput = ImageInput | NumbersInput | Record<string, NumbersInput | ImageInput>;

/** Numbers, with their shape or without. */
export type NumbersInput = TypedArray | ShapedNumbers;

/**
 * Options of one prediction that override the manifest's task. A call rejects with `input_invalid`, with the option's name in
 * `data.option`, for a value out of range, a label that the model does not have, and an option that the model's task does not have.
 *
 * @example
 * ```ts
 * const { value } = await model.predict(photo, { minScore: 0.6, labels: ["person", "dog"] });
 * ```
 */
export interface TaskCallOptions<K extends TaskKind = TaskKind> {
  /**
   * Classification: maximum number of classes in `value`, best first; an integer of at least 1.
   * @defaultValue the manifest's `task.top`, else 5
   */
  top?: K extends "classification" ? number : never;
  /**
   * Detection: boxes with a lower score are dropped; 0 to 1.
   * @defaultValue the manifest's `task.minScore`, else 0.3
   */
  minScore?: K extends "detection" ? number : never;
  /**
   * Detection: of two boxes of one class that overlap (intersection over union) by more, the one with the lower score is dropped; 0 to 1.
   * @defaultValue the manifest's `task.maxOverlap`, else 0.5
   */
  maxOverlap?: K extends "detection" ? number : never;
  /**
   * Classification and detection: only classes with these labels are returned, of `model.info.labels`. Scores do not change.
   * @defaultValue all labels
   */
  labels?: K extends "classification" | "detection" ? string[] : never;
}

/** Options of `predict`. */
export interface PredictOptions<K extends TaskKind = TaskKind> extends TaskCallOptions<K> {
  /** Aborting rejects the call with code `aborted`. */
  signal?: AbortSignal;
  /**
   * Milliseconds until the call is rejected with code `timeout`.
   * @defaultValue 60_000
   */
  timeout?: number;
  /**
   * Among the calls that wait, those with a higher priority run first.
   * @defaultValue "normal"
   */
  priority?: PredictPriority;
}

/** Options of `predictAll`; those of the task hold for every input. */
export interface PredictAllOptions<K extends TaskKind = TaskKind> extends TaskCallOptions<K> {
  /**
   * Inputs that each worker is given at a time. Times the number of workers, it is the maximum number of predictions that run and of
   * results that wait to be read.
   * @defaultValue 8
   */
  batchSize?: number;
  /** Aborting ends the sequence with code `aborted`. */
  signal?: AbortSignal;
  /**
   * Milliseconds for each input, from when it was handed to a worker.
   * @defaultValue 60_000
   */
  timeout?: number;
  /** Called before each result is returned. */
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

/** Options of `watch`; those of the task hold for every frame. */
export interface WatchOptions<K extends TaskKind = TaskKind> extends TaskCallOptions<K> {
  /**
   * `frame`: every frame of a video, every repaint of the page for a canvas. A number: the minimum milliseconds between two predictions.
   * @defaultValue "frame"
   */
  every?: "frame" | number;
  /** Aborting ends the watch with code `aborted`. */
  signal?: AbortSignal;
  /**
   * Milliseconds for each prediction.
   * @defaultValue 60_000
   */
  timeout?: number;
  /**
   * Called for each frame whose prediction failed, with why. The watch goes on with the next frame: another version of a channel, another
   * backend or a new worker may predict it.
   * @defaultValue the first failure of a row is reported as an uncaught error
   */
  onError?: (error: InsituError) => void;
}

/** The predictions of what a source shows, for one `for await` loop. Begins with the loop. */
export interface Watch<K extends TaskKind = TaskKind> extends AsyncIterable<Prediction<K>>, AsyncDisposable {
  /** Frames that were shown since the loop began, of those that `every` asks for. */
  readonly seen: number;
  /** Of those, the ones that were not predicted since a newer one came first. */
  readonly dropped: number;
  /** Of those, the ones whose prediction failed. */
  readonly failed: number;
  /** Ends the loop, and the prediction that runs. Calling it twice is safe. */
  stop(): void;
}

export interface LoadOptions<K extends TaskKind = TaskKind> {
  /**
   * Refuses a package of another task with `model_format`, and types `value`.
   * @defaultValue any task
   */
  task?: K;
  /** Called several times a second at most. An error that it throws is reported as uncaught, and the load goes on. */
  onProgress?: (progress: LoadProgress) => void;
  /** Aborting rejects the load with code `aborted`. */
  signal?: AbortSignal;
  /**
   * Milliseconds until the whole load is rejected with code `timeout`.
   * @defaultValue 600_000
   */
  timeout?: number;
  /**
   * Asks the host first whether there is a newer release, and loads that. Where the host cannot be reached the stored one runs. With false, what
   * is stored and has not expired is loaded without a request.
   * @defaultValue false
   */
  refresh?: boolean;
  /**
   * Joins predictions that wait at the same time to batches. Without it they run one after the other where the model has a plan, which is
   * faster; a batch has no plan before its size was used more than once.
   */
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
  /** Of a model that is loaded from a channel; a package has none. */
  channel?: ChannelOptions;
  /**
   * When the model counts as degraded, which `model.monitor` tells by the event `degraded`.
   * @defaultValue by the manifest's `metrics` and `reference`
   */
  monitor?: MonitorLimits;
}

/** How a page follows a channel. */
export interface ChannelOptions {
  /**
   * Milliseconds between two questions to the host whether the channel has changed, 1,000 or more; 0 asks only when
   * `model.rollout.check()` is called.
   * @defaultValue 300_000
   */
  every?: number;
  /**
   * Address of the channel file where it is not beside its packages, such as the collector's `/v1/channels/<model>`. The packages are those
   * in the folder that was passed to `load`. `request` is sent to the folder's own origin only.
   * @defaultValue the address that was passed to `load`
   */
  file?: string | URL;
  /**
   * The version of the channel to run, whatever it assigns to this browser. Where the channel does not have it, `load` rejects with
   * `input_invalid`, and `data.versions` has those that there are.
   * @defaultValue none: the assigned one
   */
  pin?: string;
}

/** An address that a Trusted Types policy of the page allows, as `policy.createScriptURL` returns it. */
export interface TrustedScriptAddress {
  toString(): string;
  toJSON(): string;
}

/** Where the worker's script is, or what starts it. */
export type WorkerSource = URL | string | TrustedScriptAddress | (() => Worker);

/** Whether this user agrees to being learned from. */
export type PersonalConsent = "granted" | "denied";

export interface ClientOptions {
  /**
   * The backends that may be used.
   * @defaultValue all three: `["webgpu", "wasm", "cpu"]`
   */
  backends?: Backend[];
  /**
   * Where the worker's script is.
   * @defaultValue the worker.js beside the library
   */
  worker?: WorkerSource;
  /** Where further files are. */
  assets?: {
    /**
     * Folder of the tfjs `.wasm` files, absolute or relative to the page.
     * @defaultValue the folder `wasm` beside the worker
     */
    wasm?: string;
  };
  /** How packages are kept in this browser. */
  storage?: {
    /**
     * Name of the IndexedDB database.
     * @defaultValue "insitu"
     */
    name?: string;
    /**
     * Maximum number of bytes of all packages together.
     * @defaultValue 500e6
     */
    maxBytes?: number;
  };
  /**
   * Keys that packages must be signed with.
   * @defaultValue none: packages need no signature
   */
  trust?: TrustOptions;
  /** Limits of the workers' memory. */
  memory?: {
    /**
     * Bytes of WebAssembly memory from which on a worker is replaced as soon as it is idle, if it uses less than half of them: such
     * memory never shrinks. Its models are loaded again with the next call.
     * @defaultValue 1e9, on iOS 256e6
     */
    maxBytes?: number;
  };
  /**
   * Maximum number of workers that predict at the same time, 1 to 32; each holds its own copy of the models that it runs.
   * @defaultValue 1
   */
  pool?: number;
  /**
   * Where figures are reported, and which.
   * @defaultValue nothing is reported
   */
  telemetry?: TelemetryOptions;
  /**
   * With consent `denied` nothing is learned until `client.personal.setConsent("granted")`. What is learned stays in this browser.
   * @defaultValue `{ consent: "granted" }`
   */
  personalization?: { consent?: PersonalConsent };
  /**
   * With true, class, confidence and time of predictions are kept in this browser for 7 days, and the state of the drift detectors for 90.
   * With false nothing is kept, and `feedback` is refused.
   * @defaultValue true
   */
  monitor?: boolean;
}
