// The interface between page and worker: methods, messages and the protocol version.
import { transferHandlers } from "comlink";
import { type ErrorCode, fromWire, toWire, type WireError } from "./errors.js";
import type { Size } from "./letterbox.js";
import type { TaskKind } from "./types/manifest.js";
import type {
  BatchingOptions,
  Capabilities,
  LoadProgress,
  ModelInfo,
  PackageRequest,
  Prediction,
  PredictionTimings,
  PredictPriority,
  TaskOptions,
  TrustOptions,
} from "./types/model.js";
import type {
  AddedExample,
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalPrediction,
  PersonalState,
  PersonalVersion,
  StoredClassifier,
  TrainingProgress,
  TrainingTrigger,
} from "./types/personal.js";
import type { BlockedVersion, KnownGood } from "./types/rollout.js";
import type { StoredPackage, StoreEvent, StoreUsage } from "./types/store.js";
import type { Backend, ShapedNumbers, TypedArray } from "./types/tensor.js";

/** Raised whenever a message changes its meaning: a page and a worker of two versions refuse each other. */
export const PROTOCOL = 9;

/** The worker's first message; nothing is asked of it before. */
export interface Ready {
  insitu: "ready";
  protocol: number;
}

export function isReady(data: unknown): data is Ready {
  return typeof data === "object" && data !== null && (data as Ready).insitu === "ready";
}

export interface HostConfig {
  backends: Backend[];
  /** Absolute URL of the folder with the `.wasm` files; undefined: beside the worker. */
  wasmBase?: string;
  storage: {
    name: string;
    maxBytes: number;
    /** True when packages were kept here before: an empty database was lost, then. */
    expected: boolean;
  };
  trust?: TrustOptions;
  /** Most threads that this worker may use; those of a pool share the cores. */
  maxThreads: number;
  /** Ids of workers of this site that were shut down cleanly: what they noted as running did not crash. */
  shutDownWorkers: string[];
  /** This worker's own name among them. */
  workerId: string;
  /** Where the last model ran, and whether on a plan: this is started at once. */
  hint?: { backend: Backend; threads?: number; plan?: boolean };
}

/** Opaque pixels (RGBA) of a small image that has the size of the model's input: the worker need not draw it. */
export interface WirePixels extends Size {
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** An image on its way to the worker. */
export interface WireImage {
  /** A string is a URL, which the worker fetches. */
  image: ImageBitmap | VideoFrame | Blob | WirePixels | string;
  /** The page's base URL, where `image` is a URL. */
  base?: string;
  /** Size of the caller's image, where the page made it smaller. */
  size?: Size;
}

/** The input of a prediction: the page replaces elements that only a document has. */
export type WireInput =
  | ({ kind: "image" } & WireImage)
  | { kind: "tensor"; data: WireNumbers }
  | { kind: "tensors"; data: Record<string, WireNumbers | WireImage> };

/** The shape comes with the numbers where the caller gave it. */
export type WireNumbers = TypedArray | ShapedNumbers;

/** Durations that the worker measured, in milliseconds; time stamps never cross, the two clocks differ. */
export type WorkerTimings = Omit<PredictionTimings, "transferMs" | "totalMs">;

export interface HostPrediction extends Omit<Prediction, "id" | "timings" | "model"> {
  memory: WorkerMemory;
  /** For tasks that have classes. */
  topClass?: TopClass;
  /** How many predictions shared the run, where more than one did. */
  items?: number;
  /** Of each input, where the page asked for it (`shared/summarise-input.ts`). */
  summaries?: Record<string, number[]>;
  timings: WorkerTimings;
}

/** The class that a prediction decided for, and how sure it was. */
export interface TopClass {
  /** Index of the class. */
  class: number;
  /** Its score, 0 to 1. */
  confidence: number;
  /** Its score less the second one's. */
  margin: number;
  /** Of all scores, in nats. */
  entropy: number;
  /** How many classes there are. */
  classes: number;
}

export interface WorkerMemory {
  /** Bytes of WebAssembly memory. */
  held: number;
  /** Bytes of tensors. */
  used: number;
}

/** A loaded model: `model` is the worker's handle for it. */
export interface LoadedModel {
  model: number;
  /** What this load cost. */
  cost: LoadCost;
  info: Omit<ModelInfo, "storeError">;
}

export interface LoadCost {
  /** Bytes that came over the network. */
  downloaded: number;
  /** Milliseconds of the runs that compile kernels and check the outputs; 0 where the model ran already. */
  warmupMs: number;
}

/** Where a model runs, and why there. */
export type Residence = Pick<ModelInfo, "backend" | "threads" | "refused" | "measured" | "plan">;

/** A model's session failed and was opened again: on another backend, or anew on the same. */
export interface BackendChange {
  from: Backend;
  code: ErrorCode;
}

/**
 * The calls of a personal model: arguments and result of each method. To add a method, add a line here; the compiler then asks for its
 * handler (worker/personal/handlers.ts) and for the checks of its arguments (worker/validate-request.ts). The page calls it with
 * `call("method", args, options)`, and names it there for error messages (page/lazy/personal/calls.ts).
 */
export interface PersonalMethods {
  state: { args: NoArguments; result: Omit<PersonalState, "storeError"> & { storeError?: WireError } };
  /** `id` is made by the page, so that a repeated call adds nothing twice. */
  addExample: {
    args: { id: string; label: string; keep: boolean; input: WireInput };
    result: Omit<AddedExample, "timings"> & WorkerMeasurements;
  };
  examples: { args: NoArguments; result: PersonalExample[] };
  kept: { args: { id: string }; result: Blob | undefined };
  remove: { args: { id?: string; label?: string }; result: number };
  train: { args: { budget: number; trigger: TrainingTrigger }; result: PersonalVersion };
  predict: { args: { input: WireInput }; result: Omit<PersonalPrediction, "id" | "timings"> & WorkerMeasurements };
  evaluate: { args: NoArguments; result: PersonalEvaluation };
  versions: { args: NoArguments; result: PersonalVersion[] };
  revert: { args: { version?: number }; result: PersonalVersion };
  export: { args: { kept: boolean }; result: Blob };
  import: { args: { file: Blob }; result: ImportResult };
  forget: { args: NoArguments; result: undefined };
}

type NoArguments = Record<never, never>;

/** What a run of the base model adds to a result; the page adds the rest of the timings. */
interface WorkerMeasurements {
  timings: WorkerTimings;
  memory: WorkerMemory;
}

export type PersonalMethod = keyof PersonalMethods;
export type PersonalArguments<M extends PersonalMethod> = PersonalMethods[M]["args"];
export type PersonalResult<M extends PersonalMethod> = PersonalMethods[M]["result"];

/** One call of a personal model. The model is known by its base model's handle and its own name, so that any worker can answer. */
export interface PersonalRequest<M extends PersonalMethod = PersonalMethod> {
  method: M;
  args: PersonalArguments<M>;
}

/** Events pushed by the worker. `moved` is absent where a model moved only because another backend is faster. */
export type HostEvent =
  /** Of a running call; what `progress` is depends on the method. */
  | { kind: "progress"; call: number; progress: unknown }
  | { kind: "store"; event: StoreEvent }
  | { kind: "residence"; models: number[]; residence: Residence; moved?: BackendChange };

/** Resolves when the page has handled the event. */
export type OnHostEvent = (event: HostEvent) => void | Promise<void>;

export interface HostLoadOptions {
  task?: TaskKind;
  refresh?: boolean;
  batching?: BatchingOptions;
  request?: PackageRequest;
  /** Whether progress events are wanted. */
  progress: boolean;
  /** A version during which this many pages crashed within a day is not opened. */
  maxCrashes?: number;
  /** Digest of a version that is not opened either. */
  not?: string;
}

export interface HostPredictOptions {
  priority?: PredictPriority;
  /** What the caller overrides of the manifest's task. */
  task?: TaskOptions;
  /** Whether the inputs are summarised, for the statistics of the monitor. */
  summarise?: boolean;
}

/** What the worker knows of a channel. */
export interface ChannelState {
  /** Of this browser. */
  seed: string;
  /** The file as it was accepted last. */
  text?: string;
  /** True where `text` has expired. */
  isExpired?: boolean;
  /** The file as the host has it now, where that is another one: the page checks it, and notes that it accepted it. */
  offered?: string;
  /** Why the host's answer is not used. */
  problem?: WireError;
  /** When the host answered last, in epoch milliseconds. */
  checkedAt?: number;
  blocked: BlockedVersion[];
  lastGood?: KnownGood;
}

/** What the page found out about a channel, for this and other tabs and visits. */
export type RolloutNote =
  | { kind: "accepted"; text: string; name: string; release: number }
  | { kind: "good"; version: KnownGood }
  | { kind: "blocked"; version: BlockedVersion }
  /** Ends a block. */
  | { kind: "allowed"; version: { package: string } };

/**
 * Methods of the worker that need no model. A new method is one entry here, one in the worker's table (`worker/host.ts`) and one in
 * the table of argument checks (`worker/validate-request.ts`); the compiler asks for both.
 */
export interface ClientMethods {
  capabilities: { args: []; result: Capabilities };
  /** `url` is absolute and names the package's folder, with a trailing slash. */
  load: { args: [url: string, options: HostLoadOptions]; result: LoadedModel; progress: LoadProgress };
  /** `url` is absolute. Rejects where neither the host nor the store has a channel. */
  readChannel: { args: [url: string, options: { refresh: boolean; request?: PackageRequest }]; result: ChannelState };
  noteRollout: { args: [url: string, note: RolloutNote]; result: undefined };
  /** 64 hexadecimal digits; also in pages that have no `crypto.subtle`. */
  sha256: { args: [bytes: Uint8Array<ArrayBuffer>]; result: string };
  /** Answers as soon as the worker's thread is free; a worker that hangs never does. */
  ping: { args: []; result: undefined };
  listPersonal: { args: []; result: StoredClassifier[] };
  /** Removes all personal models and the keys that decrypt them. */
  forgetPersonal: { args: []; result: undefined };
  listPackages: { args: []; result: StoredPackage[] };
  storeUsage: { args: []; result: Omit<StoreUsage, "origin"> };
  /** False when nothing was stored for the address. */
  deletePackage: { args: [url: string]; result: boolean };
  clearStore: { args: []; result: undefined };
  /** False when nothing is stored for the address. */
  pinPackage: { args: [url: string, pinned: boolean]; result: boolean };
}

/** Methods of a loaded model. On the wire the worker's handle of the model comes before `args`. */
export interface ModelMethods {
  predict: { args: [input: WireInput, options: HostPredictOptions]; result: HostPrediction };
  /** Calls a personal model on top of the model. */
  personal: { args: [name: string, request: PersonalRequest]; result: unknown; progress: TrainingProgress };
  /** Resolves once the fastest backend was found. */
  tuned: { args: []; result: undefined };
  /** Resolves once the package is stored, or with the reason why it is not. */
  stored: { args: []; result: WireError | undefined };
  unload: { args: []; result: undefined };
}

type WireMethods = {
  [M in keyof ClientMethods]: ClientMethods[M];
} & {
  [M in keyof ModelMethods]: Omit<ModelMethods[M], "args"> & { args: [model: number, ...ModelMethods[M]["args"]] };
};

export type ClientMethod = keyof ClientMethods;
export type ModelMethod = keyof ModelMethods;
export type HostMethod = keyof WireMethods;
/** Arguments as they cross the boundary: of a model's method, with the model's handle first. */
export type HostArgs<M extends HostMethod> = WireMethods[M]["args"];
export type ModelArgs<M extends ModelMethod> = ModelMethods[M]["args"];
export type HostResult<M extends HostMethod> = WireMethods[M]["result"];
export type HostProgress<M extends HostMethod> = WireMethods[M] extends { progress: infer P } ? P : never;

/** What the worker exposes. `call` is the page's number for the call: `abort` and progress events name it. */
export type Host = {
  [M in HostMethod]: (call: number, ...args: HostArgs<M>) => Promise<HostResult<M>>;
} & {
  /** Once, before anything else. */
  connect(config: HostConfig, onEvent: OnHostEvent): void;
  /** The call rejects with `aborted` as soon as it can; unknown numbers are ignored. */
  abort(call: number): void;
};

/**
 * Predictions without comlink, whose work for each call takes longer than a small model. The calls that a page makes at once share a
 * message, and so do the answers to those that ran together.
 */
export interface PredictCalls {
  insitu: "predict";
  calls: PredictCall[];
}

/** The arguments of the host's method. */
export type PredictCall = [call: number, ...HostArgs<"predict">];

export interface PredictAnswers {
  insitu: "predicted";
  answers: PredictAnswer[];
}

export type PredictAnswer = { call: number } & ({ value: HostPrediction } | { error: WireError });

/**
 * comlink keeps only message, name and stack of a thrown error (comlink#514); both sides call this once so that
 * `code`, `data` and `cause` survive too.
 */
export function registerErrorTransfer(): void {
  const native = transferHandlers.get("throw");
  if (!native) throw new Error("comlink has no handler named throw: its version does not fit.");
  transferHandlers.set("throw", {
    canHandle: native.canHandle,
    serialize: (thrown) => [toWire((thrown as { value: unknown }).value), []],
    deserialize: (wire) => {
      throw fromWire(wire as WireError);
    },
  });
}
