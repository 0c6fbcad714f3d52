// An open model as the host asks it: inputs to values, in batches, on the fastest backend that was found, watched for crashes.
import { isInsituError } from "../../shared/errors.js";
import type {
  BackendChange,
  HostPrediction,
  Residence,
  WireInput,
  WorkerMemory,
  WorkerTimings,
} from "../../shared/protocol.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { BatchingOptions } from "../../shared/types/model.js";
import type { Backend, TensorData } from "../../shared/types/tensor.js";
import { toFeeds, zeros } from "./inputs.js";
import { assertFinite, firstInvalid, toValue } from "./outputs.js";
import { createBatchQueue } from "./scheduling/batcher.js";
import type { BatchQueue, Scheduler, Turn } from "./scheduling/scheduler.js";
import type { Target } from "./session/engine.js";
import type { OpenOptions } from "./session/open-session.js";
import { createResilientSession, type ResilientRun, type ResilientSessionDeps } from "./session/resilient-session.js";
import { topClassOf } from "./top-class.js";
import { autotune } from "./tuning/autotune.js";
import { createSlowdownDetector } from "./tuning/slowdown-detector.js";
import { forget } from "./tuning/tuning-cache.js";

export interface ModelRunnerDeps extends ResilientSessionDeps {
  manifest: Manifest;
  turns: Scheduler;
  batching?: BatchingOptions;
  /** `moved` is absent where the model went on for being faster. */
  onChange(residence: Residence, moved?: BackendChange): void;
}

export interface Embedded {
  vector: Float32Array;
  backend: Backend;
  timings: WorkerTimings;
  memory: WorkerMemory;
}

type Feeds = Record<string, TensorData>;

export interface ModelRunner {
  residence(): Residence;
  target(): Target;
  predict(input: WireInput, turn: Turn): Promise<HostPrediction>;
  /** What personalisation learns on. Rejects with `model_format` where the package names nothing for it; otherwise as `predict`. */
  embed(input: WireInput, turn: Turn): Promise<Embedded>;
  /** Resolves once the fastest backend was found, or the model disposed. Never rejects. */
  readonly tuned: Promise<void>;
  /** In a turn of its own. */
  dispose(): void;
}

// One note for a burst of predictions, not two for each.
const BURST_MS = 1_000;

/** In a turn: it uses the engine. Rejects as `openFirst` does. */
export async function openModelRunner(parts: ModelRunnerDeps, options: OpenOptions): Promise<ModelRunner> {
  const { manifest, turns, sentinel } = parts;
  const resident = await createResilientSession(parts, options);
  resident.onChange = (moved) => parts.onChange(resident.residence(), moved);
  const end = new AbortController();
  const tune = () => autotune(resident, turns, zeros(manifest.inputs), end.signal);
  const watch = createSlowdownDetector(
    () => resident.residence(),
    () => forget(parts.notes).then(tune),
  );
  let quiet: ReturnType<typeof setTimeout> | undefined;

  const burst = () => {
    if (quiet === undefined) void sentinel.begin(resident.target().backend);
    clearTimeout(quiet);
    quiet = setTimeout(calm, BURST_MS);
  };
  const calm = () => {
    quiet = undefined;
    void sentinel.end();
  };

  const run = async (feeds: Feeds) => {
    burst();
    const ran = await resident.run(feeds);
    const isSingle = Object.values(feeds).every(({ shape }) => shape[0] === 1);
    if (isSingle) watch.ran(ran.executeMs + ran.readbackMs);
    return ran;
  };
  const isRanking = manifest.task.kind === "ranking";
  const lane = createBatchQueue(run, manifest, parts.batching ?? {});
  const embed = (feeds: Feeds) => {
    burst();
    return resident.embed(feeds);
  };
  // Its first size is the batch wherever the inputs' is.
  const pooled = [{ name: "embedding", dtype: "float32" as const, shape: [-1, -1] }];
  const embeddings = createBatchQueue(embed, { inputs: manifest.inputs, outputs: pooled }, parts.batching ?? {});

  const checked = async (feeds: Feeds, { outputs, backend }: Awaited<ReturnType<typeof run>>) => {
    try {
      assertFinite(outputs, backend);
    } catch (error) {
      // NaN in, NaN out: no backend's fault.
      if (isInsituError(error) && !firstInvalid(feeds))
        void turns.runExclusive(() => resident.replaceInvalid(feeds, error.message)).catch(() => undefined);
      throw error;
    }
  };

  const through = async (lane: BatchQueue<Feeds, ResilientRun>, input: WireInput, turn: Turn) => {
    const started = performance.now();
    const onGpu = resident.target().backend === "webgpu";
    const { feeds, placement, recycle, close } = await toFeeds(input, manifest.inputs, onGpu, isRanking);
    try {
      const prepared = performance.now();
      const ran = await turns.enqueue(lane, feeds, turn);
      const done = performance.now();
      await checked(feeds, ran);
      // Not after a failure: a run on a lost device, or a try on another backend, may still read them.
      recycle?.();
      const { executeMs, readbackMs } = ran;
      const timings: WorkerTimings = {
        queueMs: Math.max(0, done - prepared - executeMs - readbackMs),
        preprocessMs: prepared - started,
        executeMs: executeMs,
        readbackMs: readbackMs,
        postprocessMs: 0,
      };
      return { ran, placement, timings, done };
    } finally {
      close?.();
    }
  };

  return {
    residence: resident.residence,
    tuned: resident.recalled ? Promise.resolve() : tune(),
    target: resident.target,
    async predict(input, turn) {
      const { ran, placement, timings, done } = await through(lane, input, turn);
      const value = toValue(manifest, ran.outputs, placement);
      const decided = topClassOf(manifest, ran.outputs);
      const { outputs, backend } = ran;
      timings.postprocessMs = performance.now() - done;
      return { value, outputs, backend, timings, ...(decided && { topClass: decided }), memory: parts.engine.memory() };
    },
    async embed(input, turn) {
      const { ran, timings } = await through(embeddings, input, turn);
      const vector = ran.outputs.embedding?.data as Float32Array;
      return { vector, backend: ran.backend, timings, memory: parts.engine.memory() };
    },
    dispose() {
      end.abort();
      if (quiet !== undefined) {
        clearTimeout(quiet);
        calm();
      }
      resident.dispose();
    },
  };
}
