// A loaded model as the page sees it.
import { disposedError } from "../shared/disposed-error.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { BatchingOptions, ModelInfo, Prediction } from "../shared/types/model.js";
import type { PersonalizeOptions } from "../shared/types/personal.js";
import type { PredictAllOptions, PredictInput, PredictOptions, Watch, WatchOptions, WatchSource } from "./api-types.js";
import type { MonitorLimits } from "./lazy/drift/types.js";
import type { Feedback, FeedbackResult } from "./lazy/monitor/types.js";
import type { PersonalModel } from "./lazy/personal/types.js";
import type { PersonalRanker, RankingOptions } from "./lazy/ranking/types.js";
import type { Rollout } from "./lazy/rollout/types.js";
import { createMonitorHandle, type ModelMonitor, type Monitoring } from "./monitor.js";
import { createPersonalHandle } from "./personal.js";
import type { LearningConsent } from "./personal-privacy.js";
import { createPredict } from "./predict.js";
import { predictAll } from "./predict-all.js";
import type { TelemetryHandle } from "./telemetry.js";
import type { LiveVersion } from "./version.js";
import { watch } from "./watch.js";
import type { WorkerSlot } from "./workers/pool.js";

/** What a model of a task becomes when it learns from its user. */
export type PersonalOf<K extends TaskKind = TaskKind> = [K] extends ["ranking"] ? PersonalRanker : PersonalModel;
export type PersonalOptionsOf<K extends TaskKind = TaskKind> = [K] extends ["ranking"]
  ? RankingOptions
  : PersonalizeOptions;

/** A loaded model. Handles on the same package share its memory; it is freed with the last of them. */
export interface Model<K extends TaskKind = TaskKind> {
  /**
   * Kept up to date: `backend` and `measured` change while the fastest backend is looked for, and when one fails; all of it when another
   * version of a channel takes over.
   */
  readonly info: ModelInfo;
  /**
   * Resolves once the package is kept in this browser, or `info.storeError` says why it is not; `load` does not wait for it.
   * Never rejects.
   */
  readonly stored: Promise<void>;
  /** Resolves once the fastest backend was found, which is looked for while nothing is predicted. Never rejects. */
  readonly tuned: Promise<void>;
  /**
   * Runs the model on one item.
   * @throws `input_invalid` when the input or an option does not fit, `output_invalid` when the model computed NaN or infinity,
   * `overloaded` when too many predictions wait, `timeout` or `aborted` as the options say, `disposed` after `dispose`,
   * `out_of_memory`, `device_lost` or `backend_unavailable` when no backend can run it, `worker_crashed` when the worker died twice.
   * @example
   * ```ts
   * const { value, timings } = await model.predict(document.querySelector("img")!);
   * console.log(value, timings.totalMs);
   * ```
   */
  predict(input: PredictInput, options?: PredictOptions<K>): Promise<Prediction<K>>;
  /**
   * Runs the model on each of many items, in their order, with a lower priority than `predict`. Inputs are read as results are
   * taken. Leaving the loop ends what runs.
   * @throws As `predict`, with the item's place in `data.index`, and ends there; `input_invalid` for what cannot be iterated, `network`
   * when this part of the library cannot be fetched.
   * @example
   * ```ts
   * for await (const { value } of model.predictAll(document.images)) console.log(value);
   * ```
   */
  predictAll(
    inputs: Iterable<PredictInput> | AsyncIterable<PredictInput>,
    options?: PredictAllOptions<K>,
  ): AsyncGenerator<Prediction<K>, void, undefined>;
  /**
   * Runs the model on what a video or canvas shows, again and again, one prediction at a time: of the frames that come while one runs
   * only the newest is kept. Ends when the video does, or loses its source (`srcObject = null`). A video that is paused or has no image yet is waited for, and so is a page that is
   * hidden.
   * A prediction that fails does not end it: the option `onError` is told, and the next frame is predicted.
   * @throws `input_invalid` for another source or option; in the loop `disposed`, `aborted`, and `input_invalid` for a frame that cannot be
   * predicted, such as an empty canvas.
   * @example
   * ```ts
   * for await (const { value } of model.watch(video, { every: 200 })) console.log(value);
   * ```
   */
  watch(source: WatchSource, options?: WatchOptions<K>): Watch<K>;
  /**
   * Reports the truth of a prediction, up to 7 days later, also from another page of the site. The same truth again changes nothing,
   * another one replaces the first. Only whether the prediction was right leaves the page, if telemetry is on.
   * @throws `input_invalid` for a label that the model does not have, `disabled` when the option `monitor` is false, `network` when the
   * monitor could not be fetched.
   * @example
   * ```ts
   * const { id } = await model.predict(image);
   * await model.feedback(id, { label: "cat" });
   * ```
   */
  feedback(id: string, feedback: Feedback): Promise<FeedbackResult>;
  /**
   * Opens what was learned from this user under this name, on top of this model; it is kept in this browser, and nothing of it leaves the page. Of a
   * model whose task is `ranking` a ranker that learns from clicks; of others, which must name an `embedding` in their manifest, classes that the
   * user teaches.
   * @param name - 1 to 100 characters.
   * @throws `input_invalid` for another name, `insecure_context` on a page without HTTPS, `disposed` after `dispose`, `network` when this part
   * of the library cannot be fetched.
   * @example
   * ```ts
   * const mine = await model.personalize("my-things");
   * await mine.addExample(canvas, "mug");
   * ```
   */
  personalize(name: string, options?: PersonalOptionsOf<K>): Promise<PersonalOf<K>>;
  /** Figures of what the model predicted here, and how often it was right. */
  readonly monitor: ModelMonitor;
  /** Which version runs, of a model that was loaded from a channel; undefined for a package. */
  readonly rollout?: Rollout;
  /**
   * Frees the model; later predictions reject with `disposed`. Calling it twice is safe.
   * @example
   * ```ts
   * await model.dispose();
   * ```
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ModelDeps {
  live: LiveVersion;
  slots: WorkerSlot[];
  telemetry: TelemetryHandle;
  monitoring: Monitoring;
  limits?: MonitorLimits;
  storeName: string;
  batching: Required<BatchingOptions>;
  learning: LearningConsent;
  /** Of a model on a channel. */
  control?: { rollout: Rollout; dispose(): void };
}

export function createModel<K extends TaskKind>(deps: ModelDeps): Model<K> {
  const { live, slots, telemetry, storeName, control } = deps;
  const { info, stored, tuned } = live.current;
  const monitor = createMonitorHandle(deps.monitoring, info, storeName, telemetry, deps.limits);
  const max = deps.batching.maxBatchSize * deps.batching.maxEnqueuedBatches;
  const { predict, isBusy, close } = createPredict<K>({ live, max, telemetry, monitor });
  const personal = createPersonalHandle({ ...deps, info, predict, isBusy, retrain: monitor.retrain });
  let disposed = false;

  const dispose = async () => {
    if (disposed) return;
    disposed = true;
    close();
    control?.dispose();
    await Promise.all([personal.dispose(), live.current.rpc.dispose(), monitor.close()]);
  };

  return {
    info,
    rollout: control?.rollout,
    stored,
    tuned,
    predict: (input, options) => predict(input, options),
    predictAll: (inputs, options) =>
      predictAll(
        { predict: (input, each) => predict(input, each, "batch"), workers: slots.length, max },
        inputs,
        options,
      ),
    watch: (source, options) => watch(predict, source, options),
    feedback: monitor.feedback,
    personalize: (async (name, options) => {
      if (disposed) throw disposedError(info.name);
      return personal.personalize(name, options);
    }) as Model<K>["personalize"],
    monitor: monitor.monitor,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
