// The one interface that crosses the wall between page and worker, its messages and its version.
import { transferHandlers } from "comlink";
import { type ErrorCode, fromWire, toWire, type WireError } from "./errors.js";
import type { Size } from "./letterbox.js";
import type { TaskKind } from "./types/manifest.js";
import type {
  BatchingOptions,
  Capabilities,
  LoadProgress,
  ModelInfo,
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
  TrainingProgress,
  TrainingTrigger,
} from "./types/personal.js";
import type { StoredPackage, StoreEvent, StoreUsage } from "./types/store.js";
import type { Backend, TypedArray } from "./types/tensor.js";

/** Raised whenever a message changes its meaning: a page and a worker of two versions refuse each other. */
export const PROTOCOL = 6;

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
  /** Workers of this site that ended in peace: whatever they noted to be running did not crash. */
  shutDownWorkers: string[];
  /** This worker's own name among them. */
  workerId: string;
  /** Where the last model ran: this backend is started at once. */
  hint?: { backend: Backend; threads?: number };
}

/** An image on its way to the worker. */
export interface WireImage {
  /** A string is a URL, which the worker fetches. */
  image: ImageBitmap | VideoFrame | Blob | string;
  /** The page's base URL, where `image` is a URL. */
  base?: string;
  /** Size of the caller's image, where the page made it smaller. */
  size?: Size;
}

/** The input of a prediction: the page replaces elements that only a document has. */
export type WireInput =
  | ({ kind: "image" } & WireImage)
  | { kind: "tensor"; data: TypedArray }
  | { kind: "tensors"; data: Record<string, TypedArray | WireImage> };

/** Durations that the worker measured, in milliseconds; time stamps never cross, the two clocks differ. */
export type WorkerTimings = Omit<PredictionTimings, "transferMs" | "totalMs">;

export interface HostPrediction extends Omit<Prediction, "id" | "timings" | "model"> {
  memory: WorkerMemory;
  /** For tasks that have classes. */
  topClass?: TopClass;
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
export type Residence = Pick<ModelInfo, "backend" | "threads" | "refused" | "measured">;

/** A model's session failed and was opened again: on another backend, or anew on the same. */
export interface BackendChange {
  from: Backend;
  code: ErrorCode;
}

/** What is asked of a personal model; it is known by its base model's handle and its own name, so that any worker can answer. */
export type PersonalRequest =
  | { kind: "state" }
  /** `id` is the page's, so that a repeated call adds nothing twice. */
  | { kind: "add"; id: string; label: string; keep: boolean; input: WireInput }
  | { kind: "examples" }
  | { kind: "kept"; id: string }
  | { kind: "remove"; id?: string; label?: string }
  | { kind: "train"; budget: number; trigger: TrainingTrigger }
  | { kind: "predict"; input: WireInput }
  | { kind: "evaluate" }
  | { kind: "versions" }
  | { kind: "revert"; version?: number }
  | { kind: "export"; kept: boolean }
  | { kind: "import"; file: Blob }
  | { kind: "forget" };

/** What each request is answered with; the page adds the rest of the timings. */
export interface PersonalResults {
  state: Omit<PersonalState, "storeError"> & { storeError?: WireError };
  add: Omit<AddedExample, "timings"> & { timings: WorkerTimings; memory: WorkerMemory };
  examples: PersonalExample[];
  kept: Blob | undefined;
  remove: number;
  train: PersonalVersion;
  predict: Omit<PersonalPrediction, "id" | "timings"> & { timings: WorkerTimings; memory: WorkerMemory };
  evaluate: PersonalEvaluation;
  versions: PersonalVersion[];
  revert: PersonalVersion;
  export: Blob;
  import: ImportResult;
  forget: undefined;
}

export type PersonalResult<R extends PersonalRequest = PersonalRequest> = PersonalResults[R["kind"]];

/** As the page's room asks it, which leaves the input to those who send it. */
export type PersonalArguments<K extends PersonalRequest["kind"]> = Omit<Extract<PersonalRequest, { kind: K }>, "input">;

/** A personal model that is kept, for those that list them. */
export interface StoredPersonalModel {
  model: string;
  name: string;
  examples: number;
  versions: number;
  /** Bytes. */
  bytes: number;
}

/** What the worker tells unasked. `moved` is absent where a model went on for being faster. */
export type HostEvent =
  | { kind: "progress"; call: number; progress: LoadProgress }
  | { kind: "training"; call: number; progress: TrainingProgress }
  | { kind: "store"; event: StoreEvent }
  | { kind: "residence"; models: number[]; residence: Residence; moved?: BackendChange };

/** Across the wall it answers once the page has heard. */
export type OnHostEvent = (event: HostEvent) => void | Promise<void>;

export interface HostLoadOptions {
  task?: TaskKind;
  refresh?: boolean;
  batching?: BatchingOptions;
  /** Whether anybody wants to hear of it. */
  progress: boolean;
}

/** The worker's side. `call` is the page's number for a call, so that `abort` can name it. */
export interface Host {
  /** Once, before anything else. */
  connect(config: HostConfig, onEvent: OnHostEvent): void;
  capabilities(): Promise<Capabilities>;
  /** `url` is absolute and names the package's folder, with a closing slash. */
  load(call: number, url: string, options: HostLoadOptions): Promise<LoadedModel>;
  predict(
    call: number,
    model: number,
    input: WireInput,
    priority?: PredictPriority,
    options?: TaskOptions,
  ): Promise<HostPrediction>;
  /** Asks a personal model on top of `model`. */
  personal<R extends PersonalRequest>(
    call: number,
    model: number,
    name: string,
    request: R,
  ): Promise<PersonalResult<R>>;
  listPersonal(): Promise<StoredPersonalModel[]>;
  /** Removes all personal models, and what could read them. */
  forgetPersonal(): Promise<void>;
  /** Once the model's fastest backend was found. */
  tuned(model: number): Promise<void>;
  /** Answers as soon as the worker's thread is free: one that hangs never does. */
  ping(): Promise<void>;
  /** Once the model's package is kept, or with why it is not. */
  stored(model: number): Promise<WireError | undefined>;
  unload(model: number): Promise<void>;
  listPackages(): Promise<StoredPackage[]>;
  storeUsage(): Promise<Omit<StoreUsage, "origin">>;
  /** False when nothing was kept for the address. */
  deletePackage(url: string): Promise<boolean>;
  clearStore(): Promise<void>;
  /** False when nothing is kept for the address. */
  pinPackage(url: string, pinned: boolean): Promise<boolean>;
  /** The call rejects with `aborted` as soon as it can; unknown numbers are ignored. */
  abort(call: number): void;
}

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
