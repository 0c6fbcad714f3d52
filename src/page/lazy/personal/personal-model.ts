// A personal model in the page: calls to the worker, feedback on predictions, and trainings that triggers start.
import { fromWire, InsituError } from "../../../shared/errors.js";
import { randomHex } from "../../../shared/hex.js";
import type {
  PersonalArguments,
  PersonalMethod,
  PersonalResult,
  WireInput,
  WorkerTimings,
} from "../../../shared/protocol.js";
import type { PredictionTimings } from "../../../shared/types/model.js";
import type {
  PersonalizeOptions,
  TrainingProgress,
  TrainingTrigger,
  TrainOptions,
  TriggerOutcome,
} from "../../../shared/types/personal.js";
import type { PredictInput } from "../../api-types.js";
import type { Monitor } from "../monitor/monitor.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import { createPersonalFeedback, type PersonalFeedback } from "./feedback.js";
import { createRetrainScheduler, type RetrainScheduler } from "./retrain-scheduler.js";
import type { PersonalModel } from "./types.js";

/** The arguments as the page has them: an input is converted for the worker when the call is sent. */
export type PersonalCallArguments<M extends PersonalMethod> = {
  [K in keyof PersonalArguments<M>]: PersonalArguments<M>[K] extends WireInput ? PredictInput : PersonalArguments<M>[K];
};

export interface PersonalCallOptions {
  signal?: AbortSignal;
  timeout: number;
  /** Names the call in error messages. */
  what: string;
  onTraining?: (progress: TrainingProgress) => void;
}

/** Sends a call to a worker that has the base model. */
export type SendPersonal = <M extends PersonalMethod>(
  method: M,
  args: PersonalCallArguments<M>,
  options: PersonalCallOptions,
) => Promise<PersonalResult<M>>;

export interface PersonalModelDeps extends PersonalizeOptions {
  name: string;
  /** Name of the base model. */
  model: string;
  send: SendPersonal;
  /** Throws `consent_denied` where the user denied consent. */
  assertConsent(): void;
  toTimings(measured: WorkerTimings, totalMs: number): PredictionTimings;
  /** Undefined where monitoring is off. */
  monitor: Monitor | undefined;
  telemetry: { record(record: TelemetryRecord): void };
  isBusy(): boolean;
  onFired(fired: TriggerOutcome): void;
}

/** Each method's entry in the page: how error messages name the call. The compiler demands one for a method that is added to the protocol. */
const CALL_NAMES: Record<PersonalMethod, string> = {
  state: "Reading the state of",
  addExample: "Adding an example to",
  examples: "Listing the examples of",
  kept: "Reading an example of",
  remove: "Removing examples of",
  train: "Training",
  predict: "The prediction of",
  evaluate: "Evaluating",
  versions: "Listing the versions of",
  revert: "Reverting",
  export: "Exporting",
  import: "Importing into",
  forget: "Forgetting",
};

// Ends calls that hang; reading and decrypting ten thousand examples takes seconds.
const CALL_MS = 60_000;
const TRAIN_MS = 10_000;
// Embedding kept inputs again takes one prediction each.
const TRAIN_EXTRA_MS = 600_000;

/** The library's default for each call, and `disposed` after dispose. */
type Call = <M extends PersonalMethod>(
  method: M,
  args: PersonalCallArguments<M>,
  options?: Partial<PersonalCallOptions>,
) => Promise<PersonalResult<M>>;

type Train = (trigger: TrainingTrigger, budget: number, options?: TrainOptions) => Promise<PersonalResult<"train">>;

export function createPersonalModel(deps: PersonalModelDeps): PersonalModel {
  const { name, assertConsent, monitor } = deps;
  let disposed = false;
  const assertOpen = () => {
    if (!disposed) return;
    throw new InsituError("disposed", `The personal model ${name} was disposed; open it again with model.personalize.`);
  };
  const call: Call = async (method, args, options) => {
    if (method !== "forget") assertOpen();
    return deps.send(method, args, { what: `${CALL_NAMES[method]} ${name}`, timeout: CALL_MS, ...options });
  };
  const train = createTrain(deps, call);
  const feedback = createPersonalFeedback(deps);
  const scheduler = createScheduler(deps, call, train);
  // An earlier page may have left something to do.
  scheduler.nudge();
  const dispose = async () => {
    disposed = true;
    scheduler.stop();
    await monitor?.close();
  };
  return {
    name,
    ...createExampleMethods(deps, call, scheduler),
    ...createVersionMethods(call),
    train: (options = {}) => train("asked", options.budget ?? TRAIN_MS, options),
    predict: createPredict(deps, call, feedback),
    async feedback(id, given) {
      assertOpen();
      assertConsent();
      const result = await feedback.give(id, given);
      scheduler.nudge();
      return result;
    },
    async forget() {
      feedback.clear();
      // Also where the worker cannot be reached.
      await Promise.all([call("forget", {}), monitor?.clear()]);
    },
    monitor: { snapshot: () => ({ ...feedback.snapshot(), fired: scheduler.fired() }) },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

type ExampleMethods = Pick<
  PersonalModel,
  "state" | "addExample" | "examples" | "kept" | "remove" | "export" | "import"
>;

function createExampleMethods(deps: PersonalModelDeps, call: Call, scheduler: RetrainScheduler): ExampleMethods {
  return {
    state: () => readState(call),
    async addExample(input, label, { keep = false, signal, timeout = CALL_MS } = {}) {
      deps.assertConsent();
      if (typeof label !== "string" || label === "") {
        const message = `The example was not added: its label is ${JSON.stringify(label)}; pass a string of 1 to 200 characters.`;
        throw new InsituError("input_invalid", message, { label });
      }
      assertInput(input);
      const started = performance.now();
      const args = { id: randomHex(), label, keep, input };
      const { timings, memory: _, ...added } = await call("addExample", args, { signal, timeout });
      scheduler.nudge();
      return { ...added, timings: deps.toTimings(timings, performance.now() - started) };
    },
    examples: () => call("examples", {}),
    kept: (id) => call("kept", { id }),
    remove: (what) => call("remove", typeof what === "string" ? { id: what } : { label: what.label }),
    export: ({ kept = true } = {}) => call("export", { kept }),
    async import(file) {
      deps.assertConsent();
      if (!(file instanceof Blob))
        throw new InsituError("input_invalid", "Nothing was imported: pass a file from export(), as a Blob or File.");
      const imported = await call("import", { file });
      scheduler.nudge();
      return imported;
    },
  };
}

function createVersionMethods(call: Call): Pick<PersonalModel, "evaluate" | "versions" | "revert"> {
  return {
    evaluate: () => call("evaluate", {}),
    versions: () => call("versions", {}),
    revert: (version) => call("revert", { version }),
  };
}

async function readState(call: Call): ReturnType<PersonalModel["state"]> {
  const { storeError, ...state } = await call("state", {});
  return { ...state, ...(storeError && { storeError: fromWire(storeError) as InsituError }) };
}

function assertInput(input: PredictInput): void {
  if (input !== undefined && input !== null) return;
  const message = `The input is ${input}; pass an image or numbers, as to the model's predict.`;
  throw new InsituError("input_invalid", message);
}

function createPredict(deps: PersonalModelDeps, call: Call, feedback: PersonalFeedback): PersonalModel["predict"] {
  return async (input, { signal, timeout = CALL_MS } = {}) => {
    assertInput(input);
    const started = performance.now();
    const { timings, memory: _, ...result } = await call("predict", { input }, { signal, timeout });
    const totalMs = performance.now() - started;
    const prediction = { id: randomHex(), ...result, timings: deps.toTimings(timings, totalMs) };
    feedback.predicted(prediction);
    return prediction;
  };
}

function createTrain({ model, assertConsent, telemetry }: PersonalModelDeps, call: Call): Train {
  return async (trigger, budget, { signal, onProgress } = {}) => {
    assertConsent();
    const started = performance.now();
    const record = (rest: Pick<TrainedRecord, "outcome" | "examples" | "backend" | "accuracy">) =>
      telemetry.record({ kind: "trained", model, trigger, durationMs: performance.now() - started, ...rest });
    try {
      const limits = { signal, timeout: budget + TRAIN_EXTRA_MS, onTraining: onProgress };
      const version = await call("train", { budget, trigger }, limits);
      const { judged, head, counts, activated, backend } = version;
      const examples = Object.values(counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
      const outcome = activated ? "activated" : "not_better";
      record({ outcome, examples, backend, accuracy: judged[head]?.accuracy });
      return version;
    } catch (error) {
      record({ outcome: "failed" });
      throw error;
    }
  };
}

type TrainedRecord = Extract<TelemetryRecord, { kind: "trained" }>;

function createScheduler(deps: PersonalModelDeps, call: Call, train: Train): RetrainScheduler {
  const { triggers = {}, monitor, isBusy, onFired } = deps;
  return createRetrainScheduler({
    triggers,
    async readInputs() {
      const state = await readState(call);
      const version = monitor?.snapshot().versions.find((each) => each.version === String(state.version));
      const { labelled = 0, correct = 0, interval = [0, 1] } = version ?? {};
      return { state, feedback: { labelled, correct, upper: interval[1] } };
    },
    train: (trigger, budget, signal) => train(trigger, budget, { signal }),
    isBusy,
    onFired,
  });
}
