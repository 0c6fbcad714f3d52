// A loaded model as the page sees it: predictions across the wall, with their limits and their timings.
import { transfer } from "comlink";
import { asInsituError, fromWire, InsituError, isInsituError, type WireError } from "../shared/errors.js";
import type { HostPrediction, LoadedModel } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type {
  BatchingOptions,
  ModelInfo,
  ModelRef,
  Prediction,
  PredictionTimings,
  PredictionValues,
} from "../shared/types/model.js";
import type { PersonalizeOptions } from "../shared/types/personal.js";
import type { PredictAllOptions, PredictInput, PredictOptions, Watch, WatchOptions, WatchSource } from "./api-types.js";
import { type TransferableInput, toWireInput } from "./input/wire-input.js";
import type { Feedback, FeedbackResult } from "./lazy/monitor/types.js";
import type { PersonalModel } from "./lazy/personal/personal-model.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import { withTimeout } from "./lib/with-timeout.js";
import { createMonitorHandle, type ModelMonitor, type MonitorModule } from "./monitor.js";
import { type AskModel, createPersonalHandle, type PersonalHandleDeps } from "./personal.js";
import type { LearningConsent } from "./personal-privacy.js";
import { predictAll } from "./predict-all.js";
import { describeFailure, type TelemetryHandle } from "./telemetry.js";
import { watch } from "./watch.js";
import type { Ask } from "./workers/connection.js";
import type { PooledWorker, WorkerSlot } from "./workers/pool.js";
import { createReplicas } from "./workers/replicas.js";

/** What a model of a task becomes when it learns from its user. */
export type PersonalOf<K extends TaskKind = TaskKind> = [K] extends ["ranking"] ? PersonalRanker : PersonalModel;
export type PersonalOptionsOf<K extends TaskKind = TaskKind> = [K] extends ["ranking"]
  ? RankingOptions
  : PersonalizeOptions;

/** A loaded model. Handles on the same package share its memory; it is freed with the last of them. */
export interface Model<K extends TaskKind = TaskKind> {
  /** Kept up to date: `backend` and `measured` change while the fastest backend is looked for, and when one fails. */
  readonly info: ModelInfo;
  /**
   * Resolves once the package is kept in this browser, or `info.storeError` says why it is not; `load` does not wait for it.
   * Never rejects.
   */
  readonly stored: Promise<void>;
  /** Resolves once the fastest backend was found, which is looked for while nothing is predicted. Never rejects. */
  readonly tuned: Promise<void>;
  /**
   * Runs the model on one item. Rejects with `input_invalid` when the input does not fit the manifest, `output_invalid` when
   * the model computed NaN or infinity, `overloaded` when too many wait, `timeout` or `aborted` as the options say,
   * `worker_crashed` when the worker died twice.
   */
  predict(input: PredictInput, options?: PredictOptions<K>): Promise<Prediction<K>>;
  /**
   * Runs the model on each of many items, in their order, behind the predictions that are asked for one by one. The inputs are
   * taken as the results are. Rejects as `predict` does, with the item's place in `data.index`, and ends there; leaving the loop
   * ends what runs.
   */
  predictAll(
    inputs: Iterable<PredictInput> | AsyncIterable<PredictInput>,
    options?: PredictAllOptions<K>,
  ): AsyncGenerator<Prediction<K>, void, undefined>;
  /**
   * Runs the model on what a video or canvas shows, over and over, one prediction at a time: frames that come while one runs are
   * dropped but for the newest. Ends when the video does; rejects as `predict` does, and ends there. A video that is paused or has
   * no picture yet is waited for, and so is a page that is hidden. Throws `input_invalid` for another source.
   */
  watch(source: WatchSource, options?: WatchOptions<K>): Watch<K>;
  /**
   * Tells what a prediction should have been, now or up to 7 days later, also from another page of the site. Once for each prediction:
   * the same again changes nothing, another truth replaces the first. Only whether it was right leaves the page, where telemetry is
   * on. Rejects with `input_invalid` for a label that the model does not have.
   */
  feedback(id: string, feedback: Feedback): Promise<FeedbackResult>;
  /**
   * Opens what was learned from this user under this name, on top of this model; it is kept in this browser, and nothing of it leaves the page. Of a
   * model whose task is `ranking` a ranker that learns from clicks; of others, which must name an `embedding` in their manifest, classes that the
   * user teaches. Rejects with `input_invalid` for a name that is none.
   */
  personalize(name: string, options?: PersonalOptionsOf<K>): Promise<PersonalOf<K>>;
  readonly monitor: ModelMonitor;
  /** Frees the model; later predictions reject with `disposed`. Twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface ModelDeps {
  loaded: LoadedModel;
  /** The one that loaded it. */
  worker: PooledWorker;
  slots: WorkerSlot[];
  ask: Ask;
  reload(into: PooledWorker): Promise<LoadedModel>;
  telemetry: TelemetryHandle;
  /** Undefined where monitoring is off, or could not be fetched. */
  monitoring: MonitorModule | undefined;
  storeName: string;
  /** Called when the package is kept. */
  onStored: () => void;
  /** Called when the model runs, and when it runs elsewhere. */
  onMove: (info: ModelInfo) => void;
  batching: Required<BatchingOptions>;
  learning: LearningConsent;
  onTraining: PersonalHandleDeps["onTraining"];
}

/** Of a prediction that was asked for by itself, or as one of many. */
type Mode = "online" | "batch";

// A software GPU needs seconds for a prediction; this only ends what hangs.
const PREDICT_MS = 60_000;
// As long as a load may take; only ends what hangs.
const STORED_MS = 600_000;

export function createModel<K extends TaskKind>(parts: ModelDeps): Model<K> {
  const { loaded, worker, slots, ask, telemetry, reload, onMove } = parts;
  const info: ModelInfo = loaded.info;
  onMove(info);
  const replicas = createReplicas({
    slots,
    first: { worker, handle: loaded.model },
    load: reload,
    onResidence(residence) {
      Object.assign(info, { threads: undefined }, residence);
      onMove(info);
    },
    onReload: (now) => void Object.assign(info, now),
  });
  const monitor = createMonitorHandle(parts.monitoring, info, parts.storeName, telemetry);
  const most = parts.batching.maxBatchSize * parts.batching.maxEnqueuedBatches;
  let open = 0;
  let disposed = false;

  const admit = () => {
    if (disposed) {
      const message = `${info.name} was disposed; load it again before predicting.`;
      throw new InsituError("disposed", message);
    }
    if (open < most) return;
    const message = `${info.name} has ${open} predictions waiting, which is the most. Wait for some of them, or raise batching.maxEnqueuedBatches.`;
    throw new InsituError("overloaded", message, { waiting: open, most });
  };

  const predict = async (input: PredictInput, options: PredictOptions = {}, mode: Mode = "online") => {
    const started = performance.now();
    try {
      admit();
      open += 1;
      const depth = open;
      try {
        const { memory, topClass: decided, value, outputs, backend, timings: measured } = await askFor(input, options);
        const timings = toTimings(measured, performance.now() - started);
        const id = randomId();
        const model = refOf(info);
        monitor.predicted({ id, version: model.version, arm: "stable", time: Date.now(), ...decided });
        telemetry.record({
          ...{ kind: "predicted", id, model, arm: "stable", backend, mode, timings, depth, decided },
          memory: { tensor: memory.used, wasm: memory.held },
        });
        return { id, value: value as PredictionValues[K], outputs, backend, timings, model };
      } finally {
        open -= 1;
      }
    } catch (error) {
      const { backend } = info;
      const milliseconds = performance.now() - started;
      telemetry.record({
        kind: "failed",
        stage: "predict",
        model: refOf(info),
        backend,
        durationMs: milliseconds,
        ...describeFailure(error),
      });
      throw error;
    }
  };
  const inBatch = (input: PredictInput, options: PredictOptions) => predict(input, options, "batch");

  /** `request` is given the input as it crosses, undefined where there is none to cross: where it is null. */
  const askModel: AskModel = async (limits, input, request) => {
    try {
      return await withTimeout(limits, (signal) => {
        const cross = () => (input === null ? Promise.resolve(undefined) : toWireInput(input, info.inputs));
        // Before anything is waited for: the caller may draw the next picture meanwhile.
        let crossing: Promise<TransferableInput | undefined> | undefined = cross();
        // Looked at when the worker is there, which may be late.
        crossing.catch(() => undefined);
        return replicas.ask(signal, async (worker, handle) => {
          const crossed = await (crossing ?? cross());
          // What has moved to a worker that died is taken again.
          crossing = undefined;
          const reply = await ask(worker, signal, (host, call) => request(host, call, handle, crossed));
          const { memory } = (reply ?? {}) as Partial<HostPrediction>;
          if (memory) worker.holds(memory);
          return reply;
        });
      });
    } catch (error) {
      if (isInsituError(error) && error.code === "timeout") replicas.checkResponsive();
      throw error;
    }
  };

  const askFor = (input: PredictInput, options: PredictOptions) => {
    const { signal, timeout = PREDICT_MS, priority, top, minScore, maxOverlap, labels } = options;
    return askModel(
      { signal, timeout, what: `The prediction of ${info.name}` },
      input,
      (host, call, handle, crossed) => {
        const { input, transfer: moved } = crossed as TransferableInput;
        const task = { top, minScore, maxOverlap, labels };
        return host.predict(call, handle, transfer(input, moved), priority, task) as Promise<HostPrediction>;
      },
    );
  };

  const personal = createPersonalHandle({
    ...{ ...parts, info, askModel, toTimings, randomId, retrain: monitor.retrain },
    predict,
    isBusy: () => open > 0,
  });

  const dispose = async () => {
    if (disposed) return;
    disposed = true;
    await Promise.all([personal.dispose(), replicas.dispose(), monitor.close()]);
  };

  return {
    info,
    stored: watchStoring(parts, info),
    tuned: worker.call((host) => host.tuned(loaded.model)).catch(() => undefined),
    predict: (input, options) => predict(input, options),
    predictAll: (inputs, options) => predictAll({ predict: inBatch, workers: slots.length, most }, inputs, options),
    watch: (source, options) => watch(predict, source, options),
    feedback: monitor.feedback,
    personalize: personal.personalize as Model<K>["personalize"],
    monitor: monitor.monitor,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function watchStoring({ loaded, worker, onStored }: ModelDeps, info: ModelInfo): Promise<void> {
  try {
    const limits = { timeout: STORED_MS, what: `Storing ${info.name}` };
    const problem = await withTimeout(limits, () =>
      worker.call<WireError | undefined>((host) => host.stored(loaded.model)),
    );
    if (problem) info.storeError = fromWire(problem) as InsituError;
    else onStored();
  } catch (error) {
    // The worker ended before it was done.
    info.storeError = asInsituError(error, "storage_unavailable", "Storing the package stopped");
  }
}

/** What the worker did not measure of the whole is the way there and back. */
function toTimings(worker: HostPrediction["timings"], total: number): PredictionTimings {
  const {
    queueMs: queue,
    preprocessMs: preprocess,
    executeMs: execute,
    readbackMs: readback,
    postprocessMs: postprocess,
  } = worker;
  const transferred = total - (queue + preprocess + execute + readback + postprocess);
  // The two clocks may differ by their resolution.
  return {
    queueMs: queue,
    transferMs: Math.max(0, transferred),
    preprocessMs: preprocess,
    executeMs: execute,
    readbackMs: readback,
    postprocessMs: postprocess,
    totalMs: total,
  };
}

export function refOf({ name, version, release, digest }: ModelInfo | LoadedModel["info"]): ModelRef {
  return { name, version, release, digest };
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
