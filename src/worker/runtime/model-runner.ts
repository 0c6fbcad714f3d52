// An open model: predicts from inputs in batches on the fastest backend that was found, and records crashes.
import { asInsituError, isInsituError } from "../../shared/errors.js";
import type {
  BackendChange,
  HostPrediction,
  Residence,
  WireInput,
  WorkerMemory,
  WorkerTimings,
} from "../../shared/protocol.js";
import type { Manifest, TensorSpec } from "../../shared/types/manifest.js";
import type { BatchingOptions, TaskOptions } from "../../shared/types/model.js";
import type { Backend, TensorData } from "../../shared/types/tensor.js";
import { callTask } from "./call-task.js";
import { toFeeds, zeros } from "./inputs.js";
import { assertFinite, firstInvalid, toValue } from "./outputs.js";
import { withOwnBuffer } from "./own-buffer.js";
import { makePlans } from "./plan/plan-in-pause.js";
import { createBatchQueue } from "./scheduling/batcher.js";
import type { BatchQueue, EnqueueOptions, Scheduler } from "./scheduling/scheduler.js";
import type { Target } from "./session/engine.js";
import { type OpenOptions, openTarget } from "./session/open-session.js";
import {
  openResilientSession,
  type ResilientRun,
  type ResilientSession,
  type ResilientSessionDeps,
} from "./session/resilient-session.js";
import { topClassOf } from "./top-class.js";
import { waitForPause } from "./tuning/pause.js";
import { createSlowdownDetector, type SlowdownDetector } from "./tuning/slowdown-detector.js";
import { forget } from "./tuning/tuning-cache.js";
import { tuningCode } from "./tuning/tuning-code.js";

export interface ModelRunnerDeps extends ResilientSessionDeps {
  manifest: Manifest;
  scheduler: Scheduler;
  batching?: BatchingOptions;
  /** `change` is absent where the model moved because another target is faster. */
  onChange(residence: Residence, change?: BackendChange): void;
}

export interface PredictOptions extends EnqueueOptions {
  /** Override the manifest's task in this call. */
  task?: TaskOptions;
  summarise?: boolean;
}

export interface EmbeddingResult {
  vector: Float32Array;
  backend: Backend;
  timings: WorkerTimings;
  memory: WorkerMemory;
}

type Feeds = Record<string, TensorData>;
type FeedQueue = BatchQueue<Feeds, ResilientRun>;

// One record in the crash sentinel for a burst of predictions, not two for each prediction.
const BURST_MS = 1_000;
/** Its first dimension is the batch wherever the inputs' is. */
const EMBEDDING: TensorSpec = { name: "embedding", dtype: "float32", shape: [-1, -1] };

/** Needs exclusive use of the engine. Rejects as `openFirst` does. */
export async function openModelRunner(deps: ModelRunnerDeps, options: OpenOptions): Promise<ModelRunner> {
  return new ModelRunner(deps, await openResilientSession(deps, options));
}

export class ModelRunner {
  /** Resolves once the fastest backend was found, or that of an earlier visit checked, or the model disposed. Never rejects. */
  readonly tuned: Promise<void>;
  readonly #deps: ModelRunnerDeps;
  readonly #session: ResilientSession;
  readonly #end = new AbortController();
  readonly #slowdown: SlowdownDetector;
  readonly #predictions: FeedQueue;
  readonly #embeddings: FeedQueue;
  #isPlanning = false;
  /** What the page was told of plans. */
  #toldPlan: string;
  #burstTimer: ReturnType<typeof setTimeout> | undefined;
  #lastRun = 0;

  constructor(deps: ModelRunnerDeps, session: ResilientSession) {
    const { manifest, batching } = deps;
    this.#deps = deps;
    this.#session = session;
    session.onChange = (change) => deps.onChange(session.residence(), change);
    this.#toldPlan = JSON.stringify(session.residence().plan);
    const { signal } = this.#end;
    // Where the code cannot be had the model stays where it runs, and the next visit tries again.
    const code = () => tuningCode().catch(() => undefined);
    const tune = async () =>
      (await code())?.autotune(session, deps.scheduler, zeros(manifest.inputs), signal, openTarget);
    const recheck = async () => {
      // The file would arrive in the middle of the first prediction.
      await waitForPause(deps.scheduler, signal);
      await (await code())?.recheck(session, deps.scheduler, signal);
    };
    this.#slowdown = createSlowdownDetector(
      () => session.residence(),
      () => forget(deps.tuningCache).then(tune),
    );
    // A batch of its own would need tfjs, and on wasm most models compute it no faster than its items: only where the page asks for it.
    const mayJoin = () => batching !== undefined || !session.session.plans?.isForItems;
    this.#predictions = createBatchQueue((...batch) => this.#run(...batch), manifest, batching, mayJoin);
    const specs = { inputs: manifest.inputs, outputs: [EMBEDDING] };
    this.#embeddings = createBatchQueue((...batch) => this.#embed(...batch), specs, batching, mayJoin);
    this.tuned = session.isRecalled ? recheck() : tune();
  }

  residence(): Residence {
    return this.#session.residence();
  }

  target(): Target {
    return this.#session.target;
  }

  async predict(input: WireInput, options: PredictOptions): Promise<HostPrediction> {
    const { manifest, engine } = this.#deps;
    const call = callTask(manifest.task, options.task);
    const { result, placement, summaries, timings, endedAt } = await this.#process(this.#predictions, input, options);
    const { backend, items } = result;
    // An output that is a constant is a view of all weights, which would be copied to the page.
    const outputs = Object.fromEntries(
      Object.entries(result.outputs).map(([name, tensor]) => [name, { ...tensor, data: withOwnBuffer(tensor.data) }]),
    );
    const value = toValue(manifest, outputs, placement, call);
    const topClass = topClassOf(manifest, outputs);
    timings.postprocessMs = performance.now() - endedAt;
    return {
      value,
      outputs,
      backend,
      timings,
      ...(topClass && { topClass }),
      items,
      summaries,
      memory: engine.memory(),
    };
  }

  /** The features that a personal model learns on. Rejects with `model_format` where the manifest names no embedding; otherwise as `predict`. */
  async embed(input: WireInput, options: EnqueueOptions): Promise<EmbeddingResult> {
    const { result, timings } = await this.#process(this.#embeddings, input, options);
    const vector = withOwnBuffer(result.outputs.embedding?.data as Float32Array);
    return { vector, backend: result.backend, timings, memory: this.#deps.engine.memory() };
  }

  /** Needs exclusive use of the engine. */
  dispose(): void {
    this.#end.abort();
    if (this.#burstTimer !== undefined) {
      clearTimeout(this.#burstTimer);
      this.#endBurst();
    }
    this.#session.dispose();
  }

  async #process(queue: FeedQueue, input: WireInput, options: PredictOptions) {
    const { manifest, scheduler } = this.#deps;
    const started = performance.now();
    const { feeds, placement, summaries, recycle, close } = await toFeeds(input, manifest.inputs, {
      keepOpen: this.#session.target.backend === "webgpu",
      task: manifest.task.kind,
      signal: options.signal,
      summarise: options.summarise,
    }).catch((error: unknown) => {
      // The browser throws for pixels of another origin.
      throw asInsituError(error, "input_invalid", "The input cannot be read");
    });
    try {
      const prepared = performance.now();
      const result = await scheduler.enqueue(queue, feeds, options);
      const endedAt = performance.now();
      this.#assertFinite(feeds, result);
      // Not after a failure: a run on a lost device, or a run on another backend, may still read the feeds.
      recycle();
      const { executeMs, readbackMs } = result;
      const timings: WorkerTimings = {
        queueMs: Math.max(0, endedAt - prepared - executeMs - readbackMs),
        preprocessMs: prepared - started,
        executeMs,
        readbackMs,
        postprocessMs: 0,
      };
      return { result, placement, summaries, timings, endedAt };
    } finally {
      close();
    }
  }

  #assertFinite(feeds: Feeds, { outputs, backend }: ResilientRun): void {
    try {
      assertFinite(outputs, backend, this.#deps.manifest.outputs);
    } catch (error) {
      // NaN in the input gives NaN in the output on every backend.
      if (isInsituError(error) && !firstInvalid(feeds)) {
        const replace = () => this.#session.replaceInvalid(feeds, error.message);
        void this.#deps.scheduler.runExclusive(replace).catch(() => undefined);
      }
      throw error;
    }
  }

  async #run(feeds: Feeds, items: number): Promise<ResilientRun> {
    this.#extendBurst();
    const result = await this.#session.run(feeds, items);
    const isSingle = Object.values(feeds).every(({ shape }) => shape[0] === 1);
    if (isSingle) this.#slowdown.add(result.executeMs + result.readbackMs);
    void this.#makePlans();
    return result;
  }

  async #embed(feeds: Feeds, items: number): Promise<ResilientRun> {
    this.#extendBurst();
    const result = await this.#session.embed(feeds, items);
    void this.#makePlans();
    return result;
  }

  /** Not before the backend has been chosen: the plans of another would be of no use. */
  async #makePlans(): Promise<void> {
    this.#tellPlan();
    if (this.#isPlanning || !this.#session.session.plans?.isWanted) return;
    this.#isPlanning = true;
    await this.tuned;
    await makePlans(this.#session, this.#deps.scheduler, this.#end.signal, () => this.#tellPlan());
    this.#isPlanning = false;
  }

  #tellPlan(): void {
    const plan = JSON.stringify(this.#session.session.plans?.info);
    if (plan === undefined || plan === this.#toldPlan) return;
    this.#toldPlan = plan;
    this.#deps.onChange(this.residence());
  }

  #extendBurst(): void {
    this.#lastRun = performance.now();
    if (this.#burstTimer !== undefined) return;
    void this.#deps.sentinel.begin(this.#session.target.backend);
    this.#awaitEnd(BURST_MS);
  }

  /** One timer at a time: to set it again takes as long as a tenth of a small model's run. */
  #awaitEnd(ms: number): void {
    this.#burstTimer = setTimeout(() => {
      const left = this.#lastRun + BURST_MS - performance.now();
      if (left > 0) this.#awaitEnd(left);
      else this.#endBurst();
    }, ms);
  }

  #endBurst(): void {
    this.#burstTimer = undefined;
    void this.#deps.sentinel.end();
  }
}
