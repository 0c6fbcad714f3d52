// Loads a package: takes its versions in order until one opens, or shares the model that is open already.
import { InsituError, isInsituError } from "../shared/errors.js";
import { modelRef } from "../shared/model-ref.js";
import { nextTask } from "../shared/next-task.js";
import type { HostLoadOptions, LoadCost, LoadedModel } from "../shared/protocol.js";
import { createSerialQueue } from "../shared/serial-queue.js";
import type { Manifest, TaskKind } from "../shared/types/manifest.js";
import type { LoadProgress } from "../shared/types/model.js";
import type { HostCall, HostContext } from "./host-context.js";
import type { OpenModel } from "./open-models.js";
import { candidates } from "./package/load.js";
import type { Package } from "./package/package.js";
import { throttleProgress } from "./package/progress.js";
import { type ModelRunner, openModelRunner } from "./runtime/model-runner.js";
import { createPlanStore, PLAN_BINARY, PLANS } from "./runtime/plan/plan-store.js";
import type { Turn } from "./runtime/scheduling/scheduler.js";
import { type CrashSentinel, createCrashSentinel, createLivenessCheck } from "./runtime/session/crash-sentinel.js";
import { CHOICE, type TuningCache } from "./runtime/tuning/tuning-cache.js";

const GRAPH = "graph";
/** The plans on WebGPU. */
const GPU_PLANS = "gpu-plans";

/** What the steps of one load report. */
interface LoadReport {
  signal: AbortSignal;
  onProgress: (progress: LoadProgress) => void;
  /** Called with bytes that came over the network; negative for what turned out useless. */
  onReceived: (bytes: number) => void;
  /** Called with the milliseconds of the runs that compile and check a backend. */
  onWarmup: (milliseconds: number) => void;
}

/** Loads of one address run one after the other: the second finds the first one's model, also where there are no Web Locks. */
export function loadModel(
  context: HostContext,
  call: HostCall<"load">,
  url: string,
  options: HostLoadOptions,
): Promise<LoadedModel> {
  const queue = context.loads.get(url) ?? createSerialQueue();
  context.loads.set(url, queue);
  return queue(() => loadNow(context, call, url, options));
}

async function loadNow(
  context: HostContext,
  { signal, report }: HostCall<"load">,
  url: string,
  options: HostLoadOptions,
): Promise<LoadedModel> {
  const { models } = context;
  let reported: unknown;
  const cost: LoadCost = { downloaded: 0, warmupMs: 0 };
  const load: LoadReport = {
    signal,
    onProgress: throttleProgress((progress) => {
      if (options.progress) reported = report(progress);
    }),
    onReceived: (bytes) => {
      // What turned out useless came over the network all the same.
      cost.downloaded += Math.max(0, bytes);
    },
    onWarmup: (milliseconds) => {
      cost.warmupMs += milliseconds;
    },
  };
  const known = options.refresh ? undefined : models.at(url);
  if (known) checkTask(options.task, known.manifest, url);
  const { model, info: found } = known ? { model: known, info: known.info } : await open(context, url, options, load);
  // Events travel apart from answers: the last one must not arrive after this answer.
  await reported;
  const isShared = models.has(model);
  if (signal.aborted) {
    if (!isShared) model.live.dispose();
    throw new InsituError("aborted", `Loading ${url} was aborted.`, { url });
  }
  const info = { ...found, ...model.live.residence(), source: isShared ? "memory" : found.source } as const;
  return { model: models.add(model), info, cost };
}

interface Opened {
  model: OpenModel;
  /** As this load found it. */
  info: LoadedModel["info"];
}

/** Tries the package's versions in the order in which `candidates` yields them. */
async function open(context: HostContext, url: string, options: HostLoadOptions, load: LoadReport): Promise<Opened> {
  const { store, platform, config, models } = context;
  const versions = candidates(url, options.refresh === true, {
    store,
    ports: platform,
    storeName: config.storage.name,
    trust: config.trust,
    request: options.request,
    emit: (event) => void context.emit({ kind: "store", event }),
    signal: load.signal,
    onProgress: load.onProgress,
    onReceived: load.onReceived,
  });
  for await (const { package: found, fellBackFrom, accept, reject } of versions) {
    try {
      checkTask(options.task, found.manifest, url);
      const running = models.at(url);
      // A refresh that found nothing newer than what runs.
      if (running && running.info.digest === found.digest) {
        void accept();
        return { model: running, info: { ...running.info, fellBackFrom } };
      }
      if (found.digest === options.not)
        throw new InsituError("model_rollback", `${url} still holds the version that was left.`, { left: true });
      const live = await openRunner(context, url, found, options, load);
      const info = { ...describe(found, live), fellBackFrom };
      const { manifest } = found;
      return { model: { url, manifest, ref: modelRef(info), info, live, kept: accept() }, info };
    } catch (error) {
      // So that the page can say what it was, which it never opened.
      if (isInsituError(error) && error.code === "backend_unavailable")
        error.data.model = modelRef({ ...found.manifest, digest: found.digest });
      reject(error);
    }
  }
  throw new InsituError("unknown", `Loading ${url} ended without a result.`, { url });
}

function openRunner(
  { store, engine, scheduler, config, models, emit }: HostContext,
  url: string,
  { manifest, digest, model, weights, selfTests, plans: planTexts }: Package,
  { batching, maxCrashes }: HostLoadOptions,
  { signal, onProgress, onWarmup }: LoadReport,
): Promise<ModelRunner> {
  const { name, version, inputs, outputs, embedding, files } = manifest;
  const { backends, maxThreads, workerId, shutDownWorkers } = config;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const notes = notesOf(digest, store, (kind, sha256) =>
    emit({ kind: "store", event: { type: "corrupt", url, path: `notes/${kind}`, sha256 } }),
  );
  const plans = createPlanStore({ notes, manifest, packaged: () => planTexts(PLAN_BINARY) });
  const cell = (kind: string) => ({
    read: () => notes.read(kind),
    write: (value: unknown) => notes.write(kind, value),
  });
  const rows = { rewrites: cell(GRAPH), plans, gpuPlans: cell(GPU_PLANS) };
  let tests: ReturnType<Package["selfTests"]> | undefined;
  const sentinel = createCrashSentinel(notes, workerId, createLivenessCheck(shutDownWorkers));
  return scheduler.runExclusive(async (turn) => {
    let isOpen = false;
    /** Models that run need not wait for weights that are still on their way. Later reads belong to other jobs. */
    const givingWay = () => (isOpen ? weights() : readBetween(weights(), turn));
    if (maxCrashes) await checkCrashes(sentinel, maxCrashes, `${name} ${version}`);
    const live: ModelRunner = await openModelRunner(
      {
        engine,
        scheduler,
        source: { model, weights: givingWay, inputs, outputs, embedding, ...rows },
        manifest,
        inputs,
        backends,
        batching,
        tuningCache: notes,
        name: `${name} ${version}`,
        maxThreads,
        sentinel,
        selfTests: () => {
          tests ??= selfTests();
          return tests;
        },
        onChange: (residence, moved) => models.changed(live, residence, moved),
      },
      { signal, onWeights: () => onProgress({ phase: "compile", loaded: 0, total }), onWarmup },
    );
    isOpen = true;
    onProgress({ phase: "compile", loaded: total, total });
    onProgress({ phase: "warmup", loaded: total, total });
    return live;
  });
}

/** The same chunks; others use the engine while the next is not here. Not a generator: each one adds a hop to every chunk. */
function readBetween(chunks: AsyncIterable<ArrayBuffer>, turn: Turn): AsyncIterable<ArrayBuffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        let isHere = false;
        const settled = () => {
          isHere = true;
        };
        const next = iterator.next();
        next.then(settled, settled);
        await nextTask().catch(() => undefined);
        return isHere ? next : turn.away(next);
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

/**
 * What is stored about a version. A note that cannot be read or written costs time, nothing else. Those that each start needs are read at
 * once: one by one, between chunks that are read, they took a quarter of a start of 20 ms.
 */
function notesOf(
  digest: string,
  store: HostContext["store"],
  onCorrupt: (kind: string, sha256: string) => unknown,
): TuningCache {
  const readNow = async (kind: string) => {
    const found = await store.readNote(digest, kind).catch(() => undefined);
    if (!found || "value" in found) return found?.value;
    void onCorrupt(kind, found.corrupt);
    return undefined;
  };
  const ahead = new Map([CHOICE, GRAPH, PLANS].map((kind) => [kind, readNow(kind)]));
  return {
    read(kind) {
      const begun = ahead.get(kind);
      ahead.delete(kind);
      return begun ?? readNow(kind);
    },
    write(kind, value) {
      ahead.delete(kind);
      return store.writeNote(digest, kind, value).catch(() => undefined);
    },
  };
}

/** Throws `backend_unavailable`, whichever backend it was. */
async function checkCrashes(sentinel: CrashSentinel, max: number, name: string): Promise<void> {
  const crashes = await sentinel.crashes();
  if (crashes < max) return;
  const message = `${name} is not opened: the page crashed ${crashes} times within 24 hours while it ran.`;
  throw new InsituError("backend_unavailable", message, { crashes });
}

function checkTask(wanted: TaskKind | undefined, { task }: Manifest, url: string): void {
  if (!wanted || wanted === task.kind) return;
  const message = `${url} is a ${task.kind} model, but task: "${wanted}" was passed to load. Pass the model's task, or leave task out.`;
  throw new InsituError("model_format", message, { url, task: task.kind, wanted });
}

function describe({ manifest, digest, source }: Package, live: ModelRunner): LoadedModel["info"] {
  const { inputs, outputs, task, reference, metrics } = manifest;
  const labels = "labels" in task ? task.labels : [];
  const ref = modelRef({ ...manifest, digest });
  return { ...ref, ...live.residence(), inputs, outputs, task: task.kind, labels, reference, metrics, source };
}
