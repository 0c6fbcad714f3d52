// A personal model in the page: calls to the worker, feedback on predictions, and trainings that triggers start.
import { fromWire, type InsituError } from "../../../shared/errors.js";
import { randomHex } from "../../../shared/hex.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import type { WorkerTimings } from "../../../shared/protocol.js";
import type { PredictionTimings } from "../../../shared/types/model.js";
import type {
  PersonalizeOptions,
  PersonalVersion,
  TrainingTrigger,
  TrainOptions,
  TriggerOutcome,
} from "../../../shared/types/personal.js";
import { checkNumber, checkType, readOptions } from "../../lib/check-option.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import {
  CALL_MS,
  createPersonalCall,
  disposedError,
  type Erasures,
  type PersonalCall,
  type SendPersonal,
} from "./calls.js";
import { createPersonalFeedback, type PersonalFeedback, type PersonalFeedbackDeps } from "./feedback.js";
import { createRetrainScheduler, type RetrainScheduler } from "./retrain-scheduler.js";
import type { PersonalModel } from "./types.js";

export interface PersonalModelDeps extends PersonalizeOptions, PersonalFeedbackDeps {
  send: SendPersonal;
  /** Throws `consent_denied` where the user denied consent. */
  assertConsent(): void;
  toTimings(measured: WorkerTimings, totalMs: number): PredictionTimings;
  /** True while the base model predicts. */
  isBusy(): boolean;
  onFired(fired: TriggerOutcome): void;
}

const TRAIN_MS = 10_000;
// Embedding kept inputs again takes one prediction each.
const TRAIN_EXTRA_MS = 600_000;

type Train = (trigger: TrainingTrigger, budget: number, options: TrainOptions) => Promise<PersonalVersion>;

export function createPersonalModel(deps: PersonalModelDeps): PersonalModel {
  const { name, assertConsent, monitor } = deps;
  let disposed = false;
  const erasures: Erasures = monitor?.clears ?? { count: 0 };
  const call = createPersonalCall(name, deps.send, () => disposed, erasures);
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
    async train(given) {
      const options = readOptions(given);
      return train("asked", options.budget ?? TRAIN_MS, options);
    },
    predict: createPredict(deps, call, feedback, erasures),
    async feedback(id, given) {
      if (disposed) throw disposedError(name);
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

function createExampleMethods(
  deps: PersonalModelDeps,
  call: PersonalCall,
  scheduler: RetrainScheduler,
): ExampleMethods {
  return {
    state: () => readState(call),
    async addExample(input, label, options) {
      const { keep = false, signal, timeout = CALL_MS } = readOptions(options);
      deps.assertConsent();
      if (typeof label !== "string" || label === "") throw invalidOption("label", label, "1 to 200 characters");
      const started = performance.now();
      const args = { id: randomHex(), label, keep, input };
      const { timings, memory: _, ...added } = await call("addExample", args, { signal, timeout });
      scheduler.nudge();
      return { ...added, timings: deps.toTimings(timings, performance.now() - started) };
    },
    examples: () => call("examples", {}),
    kept: (id) => call("kept", { id }),
    remove: async (what) => call("remove", selectionOf(what)),
    export: (options) => call("export", { kept: options?.kept ?? true }),
    async import(file) {
      deps.assertConsent();
      if (!(file instanceof Blob)) throw invalidOption("file", file, "a file from export()");
      const imported = await call("import", { file });
      scheduler.nudge();
      return imported;
    },
  };
}

function createVersionMethods(call: PersonalCall): Pick<PersonalModel, "evaluate" | "versions" | "revert"> {
  return {
    evaluate: () => call("evaluate", {}),
    versions: () => call("versions", {}),
    revert: (version) => call("revert", { version }),
  };
}

async function readState(call: PersonalCall): ReturnType<PersonalModel["state"]> {
  const { storeError, ...state } = await call("state", {});
  return { ...state, ...(storeError && { storeError: fromWire(storeError) as InsituError }) };
}

function selectionOf(what: string | { label: string }): { id: string } | { label: string } {
  if (typeof what === "string") return { id: what };
  if (typeof what?.label === "string") return { label: what.label };
  throw invalidOption("what", what, "an example's id, or { label }");
}

function createPredict(
  deps: PersonalModelDeps,
  call: PersonalCall,
  feedback: PersonalFeedback,
  erasures: Erasures,
): PersonalModel["predict"] {
  return async (input, options) => {
    const { signal, timeout = CALL_MS } = readOptions(options);
    const started = performance.now();
    const begun = erasures.count;
    const { timings, memory: _, ...result } = await call("predict", { input }, { signal, timeout });
    const totalMs = performance.now() - started;
    const prediction = { id: randomHex(), ...result, timings: deps.toTimings(timings, totalMs) };
    if (begun === erasures.count) feedback.predicted(prediction);
    return prediction;
  };
}

function createTrain({ model, assertConsent, telemetry }: PersonalModelDeps, call: PersonalCall): Train {
  return async (trigger, budget, { signal, onProgress }) => {
    checkNumber("budget", budget, true);
    checkType("onProgress", onProgress, "function");
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

function createScheduler(deps: PersonalModelDeps, call: PersonalCall, train: Train): RetrainScheduler {
  const { triggers, monitor, isBusy, onFired } = deps;
  return createRetrainScheduler({
    triggers: triggers ?? {},
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
