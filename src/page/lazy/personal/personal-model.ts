// A personal model as the page holds it: calls to the worker, feedback on what it said, trainings that start by themselves.
import type { ErrorCode, ErrorData, InsituError, WireError } from "../../../shared/errors.js";
import type { PersonalArguments, PersonalRequest, PersonalResults, WorkerTimings } from "../../../shared/protocol.js";
import type { PredictionTimings } from "../../../shared/types/model.js";
import type {
  AddExampleOptions,
  AddedExample,
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalizeOptions,
  PersonalPrediction,
  PersonalState,
  PersonalVersion,
  TrainingProgress,
  TrainingTrigger,
  TrainOptions,
  TriggerOutcome,
} from "../../../shared/types/personal.js";
import type { PredictInput, PredictOptions } from "../../api-types.js";
import type { FeedbackSample, Monitor } from "../monitor/monitor.js";
import type { FeedbackResult } from "../monitor/types.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import { createRetrainScheduler } from "./retrain-scheduler.js";

/** Classes that one user taught, on top of a model. All of it stays in this browser. */
export interface PersonalModel {
  readonly name: string;
  state(): Promise<PersonalState>;
  /**
   * Learns that the input is of the class `label`: keeps its embedding, and the input only where asked. Resolves once it is kept.
   * Rejects as the model's `predict` does, with `storage_quota` when there is no room, and with `consent_denied` where consent was denied.
   */
  addExample(input: PredictInput, label: string, options?: AddExampleOptions): Promise<AddedExample>;
  /** In the order of teaching. */
  examples(): Promise<PersonalExample[]>;
  /** What was kept with an example: a JPEG of a picture; undefined where nothing was. */
  kept(id: string): Promise<Blob | undefined>;
  /** By its id, or all of a label; answers how many went. */
  remove(what: string | { label: string }): Promise<number>;
  /**
   * Trains the heads on all examples that are not held out, keeps the better one as a new version, and uses it unless it is worse on the held-out
   * examples than the version in use. Rejects with `input_invalid` when nothing was taught, and with `aborted`.
   */
  train(options?: TrainOptions): Promise<PersonalVersion>;
  /** The classes of the version in use; before the first training the nearest class mean. Rejects as the model's `predict` does. */
  predict(input: PredictInput, options?: PredictOptions): Promise<PersonalPrediction>;
  /** The version in use on the examples that were held out. */
  evaluate(): Promise<PersonalEvaluation>;
  /** The oldest first; the last 20 are kept. */
  versions(): Promise<PersonalVersion[]>;
  /** Uses another version again. Default: the parent of the one in use. Rejects with `input_invalid` when there is none. */
  revert(version?: number): Promise<PersonalVersion>;
  /**
   * Tells what a prediction should have been. With a label only for the last 1,000 predictions of this page; whether it was right up to 7 days
   * later, from any page.
   */
  feedback(id: string, feedback: { label: string } | { correct: boolean }): Promise<FeedbackResult>;
  /** All of it as one file, which is not encrypted. `kept`: with the inputs that were kept. Default true. */
  export(options?: { kept?: boolean }): Promise<Blob>;
  /** Adds what a file holds. Rejects with `input_invalid` where it was altered, is none, or is of another model; nothing is changed then. */
  import(file: Blob): Promise<ImportResult>;
  /** Removes examples, inputs, versions and feedback, and destroys the key that their remains on the disk are encrypted with. */
  forget(): Promise<void>;
  readonly monitor: PersonalMonitor;
  /** Ends the triggers; what was learned stays. Twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PersonalMonitor {
  /** How right its versions were by feedback, and which triggers fired since the page opened. */
  snapshot(): FeedbackSample & { fired: TriggerOutcome[] };
}

export interface PersonalCallOptions {
  input?: PredictInput;
  signal?: AbortSignal;
  timeout: number;
  onTraining?: (progress: TrainingProgress) => void;
}

export interface PersonalModelDeps extends PersonalizeOptions {
  name: string;
  /** Of the base model. */
  model: string;
  /** `what` is for messages; the input, where there is one, crosses with the request. */
  ask<K extends PersonalRequest["kind"]>(
    request: PersonalArguments<K>,
    what: string,
    options: PersonalCallOptions,
  ): Promise<PersonalResults[K]>;
  /** Throws; the class of errors is the page half's, which loads before this. */
  refuse(code: ErrorCode, message: string, data?: ErrorData): never;
  codeOf(error: unknown): ErrorCode;
  revive(error: WireError): InsituError;
  /** Throws where the user has not agreed. */
  assertConsent(): void;
  randomId(): string;
  toTimings(measured: WorkerTimings, total: number): PredictionTimings;
  /** Undefined where monitoring is off. */
  monitor: Monitor | undefined;
  telemetry: { record(record: TelemetryRecord): void };
  isBusy(): boolean;
  onFired(fired: TriggerOutcome): void;
}

// What hangs ends; reading and decrypting ten thousand examples takes seconds.
const READ_MS = 60_000;
const PREDICT_MS = 60_000;
const TRAIN_MS = 10_000;
// Embedding kept inputs again takes a prediction each.
const TRAIN_EXTRA_MS = 600_000;
const MOST_SAID = 1_000;

export function createPersonalModel(parts: PersonalModelDeps): PersonalModel {
  const { name, model, ask, refuse, revive, assertConsent, randomId, toTimings, monitor, telemetry, isBusy, onFired } =
    parts;
  /** What was predicted, for feedback that names a label. */
  const said = new Map<string, string | undefined>();

  const read = <K extends PersonalRequest["kind"]>(request: PersonalArguments<K>, what: string) =>
    ask<K>(request, what, { timeout: READ_MS });
  const given = (input: PredictInput): PredictInput =>
    input ?? refuse("input_invalid", `The input is ${input}; pass a picture or numbers, as to the model's predict.`);
  const state = async (): Promise<PersonalState> => {
    const { storeError, ...found } = await read<"state">({ kind: "state" }, "Looking at");
    return { ...found, ...(storeError && { storeError: revive(storeError) }) };
  };

  const train = async (trigger: TrainingTrigger, budget: number, options: TrainOptions = {}) => {
    assertConsent();
    const { signal, onProgress: onTraining } = options;
    const started = performance.now();
    try {
      const limits = { signal, timeout: budget + TRAIN_EXTRA_MS, onTraining };
      const version = await ask<"train">({ kind: "train", budget, trigger }, "Training", limits);
      const { judged, head, counts, activated, backend } = version;
      const examples = Object.values(counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
      telemetry.record({
        ...{ kind: "trained", model, trigger, outcome: activated ? "activated" : "not_better", examples, backend },
        ...{ accuracy: judged[head]?.accuracy, durationMs: performance.now() - started },
      });
      return version;
    } catch (error) {
      telemetry.record({
        kind: "trained",
        model,
        trigger,
        outcome: "failed",
        durationMs: performance.now() - started,
      });
      throw error;
    }
  };

  const see = async () => {
    const now = await state();
    const mine = monitor?.snapshot().versions.find(({ version }) => version === String(now.version));
    const { labelled = 0, correct = 0, interval = [0, 1] } = mine ?? {};
    return { state: now, feedback: { labelled, correct, upper: interval[1] } };
  };

  const watchman = createRetrainScheduler({
    triggers: parts.triggers ?? {},
    see,
    train: (trigger, budget, signal) => train(trigger, budget, { signal }),
    isBusy,
    onFired,
    codeOf: parts.codeOf,
  });
  // An earlier page may have left something to do.
  watchman.nudge();

  const dispose = async () => {
    watchman.stop();
    await monitor?.close();
  };

  return {
    name,
    state,
    async addExample(input, label, { keep = false, signal, timeout = PREDICT_MS } = {}) {
      assertConsent();
      if (typeof label !== "string" || label === "")
        refuse("input_invalid", `The label is ${JSON.stringify(label)}; pass a text.`, { label });
      const started = performance.now();
      const limits = { input: given(input), signal, timeout };
      const request: PersonalArguments<"add"> = { kind: "add", id: randomId(), label, keep };
      const { timings, memory: _, ...added } = await ask<"add">(request, "Teaching", limits);
      watchman.nudge();
      return { ...added, timings: toTimings(timings, performance.now() - started) };
    },
    examples: () => read<"examples">({ kind: "examples" }, "Listing the examples of"),
    kept: (id) => read<"kept">({ kind: "kept", id }, "Reading an example of"),
    remove: (what) =>
      read<"remove">(
        { kind: "remove", ...(typeof what === "string" ? { id: what } : { label: what.label }) },
        "Removing examples of",
      ),
    train: (options = {}) => train("asked", options.budget ?? TRAIN_MS, options),
    async predict(input, { signal, timeout = PREDICT_MS } = {}) {
      const started = performance.now();
      const limits = { input: given(input), signal, timeout };
      const { timings, memory: _, ...answer } = await ask<"predict">({ kind: "predict" }, "The prediction of", limits);
      const id = randomId();
      const [best] = answer.value;
      said.set(id, answer.label);
      if (said.size > MOST_SAID) said.delete(said.keys().next().value as string);
      monitor?.predicted({
        ...{ id, version: String(answer.version), arm: "stable", time: Date.now() },
        ...(best && { class: best.index, confidence: best.score }),
      });
      return { id, ...answer, timings: toTimings(timings, performance.now() - started) };
    },
    evaluate: () => read<"evaluate">({ kind: "evaluate" }, "Judging"),
    versions: () => read<"versions">({ kind: "versions" }, "Listing the versions of"),
    revert: (version) => read<"revert">({ kind: "revert", version }, "Reverting"),
    async feedback(id, feedback) {
      if (!monitor) {
        const message = "Feedback is not taken: monitoring is off, or its part of the library could not be fetched.";
        return refuse("backend_unavailable", message);
      }
      assertConsent();
      const isLabel = "label" in feedback;
      if (isLabel && !said.has(id)) return "unmatched";
      const correct = isLabel ? said.get(id) === feedback.label : feedback.correct;
      const { result } = await monitor.feedback(id, { score: correct ? 1 : 0 });
      if (result === "counted") telemetry.record({ kind: "personalFeedback", model, correct });
      watchman.nudge();
      return result;
    },
    export: ({ kept = true } = {}) => read<"export">({ kind: "export", kept }, "Exporting"),
    async import(file) {
      assertConsent();
      if (!(file instanceof Blob)) refuse("input_invalid", "Pass the file that `export` made, as a Blob or File.");
      const imported = await read<"import">({ kind: "import", file }, "Importing into");
      watchman.nudge();
      return imported;
    },
    async forget() {
      await read<"forget">({ kind: "forget" }, "Forgetting");
      said.clear();
      await monitor?.clear();
    },
    monitor: {
      snapshot: () => ({
        ...(monitor?.snapshot() ?? { model: name, versions: [], unmatched: 0, corrected: 0 }),
        fired: watchman.fired(),
      }),
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
