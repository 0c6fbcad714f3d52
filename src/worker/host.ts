// The worker's desk: loads packages, keeps their models by handle, and passes on what is asked of them.
import { InsituError, toWire } from "../shared/errors.js";
import type {
  BackendChange,
  Host,
  HostConfig,
  HostLoadOptions,
  LoadCost,
  LoadedModel,
  OnHostEvent,
  Residence,
} from "../shared/protocol.js";
import type { Manifest, TaskKind } from "../shared/types/manifest.js";
import type { LoadProgress, ModelRef } from "../shared/types/model.js";
import type { TrainingProgress } from "../shared/types/personal.js";
import type { StoredPackage } from "../shared/types/store.js";
import { loadPackage } from "./package/load.js";
import type { Package } from "./package/package.js";
import type { Platform } from "./package/platform.js";
import { throttleProgress } from "./package/progress.js";
import type { FallbackStore } from "./package/store/fallback-store.js";
import type { OnStoreEvent, PackageRow } from "./package/store/store.js";
import { createPersonalRegistry, type PersonalRegistry } from "./personal/registry.js";
import { type ModelRunner, openModelRunner } from "./runtime/model-runner.js";
import { Scheduler } from "./runtime/scheduling/scheduler.js";
import { announceLife, createCrashSentinel, createLivenessCheck } from "./runtime/session/crash-sentinel.js";
import type { Engine, Target } from "./runtime/session/engine.js";
import type { TuningCache } from "./runtime/tuning/tuning-cache.js";

/** What the host is made of; the worker passes the real ones. */
export interface HostDeps {
  createEngine(config: HostConfig, store: FallbackStore): Engine;
  openStore(config: HostConfig, emit: OnStoreEvent): FallbackStore;
  ports: Platform;
}

/** A model that is open, shared by all handles on the same package. */
interface Entry {
  url: string;
  manifest: Manifest;
  /** As it was loaded; where it runs is the live model's to say. */
  info: LoadedModel["info"];
  live: ModelRunner;
  /** Settles with why the package is not kept, if so. */
  kept: Promise<InsituError | undefined>;
  handles: number;
}

/** A model that is open, and what this load is told of it. */
interface Ready {
  entry: Entry;
  info: LoadedModel["info"];
}

/** What a load of a package hears and says. */
interface Call {
  signal: AbortSignal;
  onProgress: (progress: LoadProgress) => void;
  /** Hears of bytes that came over the network. */
  onReceived: (bytes: number) => void;
  /** Hears how long the runs took that compile and check a backend. */
  onWarmup: (milliseconds: number) => void;
}

export function createHost(parts: HostDeps): Host {
  let config: HostConfig;
  let store: FallbackStore | undefined;
  let engine: Engine;
  let desk: PersonalRegistry;
  let emit: OnHostEvent = () => undefined;
  let nextHandle = 1;
  const handles = new Map<number, Entry>();
  const byUrl = new Map<string, Entry>();
  const running = new Map<number, AbortController>();
  // tfjs has one global backend and no notion of a request: runs follow each other, and a failed one never stops the next.
  const turns = new Scheduler();
  const loadTurns = new Map<string, ReturnType<typeof queue>>();
  const onStoreEvent: OnStoreEvent = (event) => void emit({ kind: "store", event });

  const connectedStore = (): FallbackStore => {
    if (!store) throw new InsituError("unknown", "The worker was asked before it was connected.");
    return store;
  };

  const entryOf = (model: number): Entry => {
    const entry = handles.get(model);
    if (entry) return entry;
    throw new InsituError("disposed", "The model was disposed; load it again.");
  };

  const abortable = async <T>(call: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    connectedStore();
    const controller = new AbortController();
    running.set(call, controller);
    try {
      return await run(controller.signal);
    } finally {
      running.delete(call);
    }
  };

  const open = (found: Package, batching: HostLoadOptions["batching"], call: Call): Promise<ModelRunner> => {
    const { manifest, digest, model, weights } = found;
    const { name, version, inputs, outputs, embedding, files } = manifest;
    const { signal, onProgress, onWarmup } = call;
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const kept = connectedStore();
    // What cannot be noted is found out again.
    const notes: TuningCache = {
      read: (kind) => kept.readNote(digest, kind).catch(() => undefined),
      write: (kind, value) => kept.writeNote(digest, kind, value).catch(() => undefined),
    };
    const { backends, maxThreads, workerId: me, shutDownWorkers: closed } = config;
    const rewrites = { read: () => notes.read("graph"), write: (value: unknown) => notes.write("graph", value) };
    const source = { model, weights, inputs, outputs, embedding, rewrites };
    let tests: ReturnType<Package["selfTests"]> | undefined;
    return turns.runExclusive(async () => {
      const live: ModelRunner = await openModelRunner(
        {
          engine,
          scheduler: turns,
          source,
          manifest,
          inputs,
          backends,
          batching,
          tuningCache: notes,
          name: `${name} ${version}`,
          maxThreads,
          sentinel: createCrashSentinel(notes, me, createLivenessCheck(closed)),
          selfTests: () => {
            tests ??= found.selfTests();
            return tests;
          },
          onChange: (residence, moved) => tell(live, residence, moved),
        },
        { signal, onWeights: () => onProgress({ phase: "compile", loaded: 0, total }), onWarmup },
      );
      onProgress({ phase: "compile", loaded: total, total });
      onProgress({ phase: "warmup", loaded: total, total });
      return live;
    });
  };

  const tell = (live: ModelRunner, residence: Residence, moved?: BackendChange) => {
    const models = [...handles].filter(([, entry]) => entry.live === live).map(([model]) => model);
    if (models.length > 0) void emit({ kind: "residence", models, residence, ...(moved && { moved }) });
  };

  const openPackage = async (url: string, { task, refresh, batching }: HostLoadOptions, call: Call): Promise<Ready> => {
    const { storage, trust } = config;
    const loaded = await loadPackage<Entry | ModelRunner>(url, refresh === true, {
      ...{ store: connectedStore(), storeName: storage.name, ports: parts.ports, trust, emit: onStoreEvent, ...call },
      async open(found) {
        checkTask(task, found.manifest, url);
        const running = byUrl.get(url);
        // A refresh that found nothing newer than what runs.
        return running?.info.digest === found.digest ? running : open(found, batching, call);
      },
    });
    const { opened, found, kept, fellBackFrom } = loaded;
    const isOpen = "handles" in opened;
    const info = { ...(isOpen ? opened.info : describe(found, opened)), fellBackFrom };
    if (isOpen) return { entry: opened, info };
    return { entry: { url, manifest: found.manifest, info, live: opened, kept, handles: 0 }, info };
  };

  const load = async (number: number, url: string, options: HostLoadOptions, signal: AbortSignal) => {
    const known = options.refresh ? undefined : byUrl.get(url);
    if (known) checkTask(options.task, known.manifest, url);
    let heard: unknown;
    const onProgress = throttleProgress((progress) => {
      if (options.progress) heard = emit({ kind: "progress", call: number, progress });
    });
    const cost: LoadCost = { downloaded: 0, warmupMs: 0 };
    const onReceived = (bytes: number) => {
      // Negative for what turned out useless; it came all the same.
      cost.downloaded += Math.max(0, bytes);
    };
    const onWarmup = (milliseconds: number) => {
      cost.warmupMs += milliseconds;
    };
    const open = known && { entry: known, info: known.info };
    const call: Call = { signal, onProgress, onReceived, onWarmup };
    const { entry, info: told } = open ?? (await openPackage(url, options, call));
    // Events go another way than answers: the last one must not come after this one.
    await heard;
    if (signal.aborted) {
      if (entry.handles === 0) entry.live.dispose();
      throw new InsituError("aborted", `Loading ${url} was aborted.`, { url });
    }
    const source = entry.handles > 0 ? "memory" : told.source;
    const info: LoadedModel["info"] = { ...told, ...entry.live.residence(), source };
    byUrl.set(url, entry);
    entry.handles += 1;
    const model = nextHandle++;
    handles.set(model, entry);
    return { model, info, cost };
  };

  return {
    connect(given, onEvent) {
      config = given;
      emit = onEvent;
      announceLife(given.workerId);
      store = parts.openStore(given, onStoreEvent);
      engine = parts.createEngine(given, store);
      desk = createPersonalRegistry(given.storage.name, engine, turns);
      const { hint } = given;
      // While the package is looked up. What cannot be started is found out again, and told, by the load.
      if (hint) void turns.runExclusive(() => prewarmBackend(engine, hint, given)).catch(() => undefined);
    },

    async capabilities() {
      return {
        backends: await Promise.all(config.backends.map((backend) => engine.probe(backend))),
        crossOriginIsolated: globalThis.crossOriginIsolated === true,
        indexedDB: hasIndexedDB(),
      };
    },

    load(call, url, options) {
      // The second load of a package finds the first one's, also where there are no Web Locks.
      const turn = loadTurns.get(url) ?? queue();
      loadTurns.set(url, turn);
      return abortable(call, (signal) => turn(() => load(call, url, options, signal)));
    },

    predict: (call, model, input, priority, task) =>
      abortable(call, async (signal) => {
        return entryOf(model).live.predict(input, { priority, signal, task });
      }),

    personal: (call, model, name, request) =>
      abortable(call, (signal) => {
        const onProgress = (progress: TrainingProgress) => void emit({ kind: "training", call, progress });
        const { live, manifest, info } = entryOf(model);
        return desk.ask({ live, manifest, ref: refOf(info) }, name, request, { signal, onProgress });
      }),

    listPersonal: () => desk.list(),
    forgetPersonal: () => desk.forgetAll(),

    async tuned(model) {
      await handles.get(model)?.live.tuned;
    },

    async ping() {},

    async stored(model) {
      const problem = await handles.get(model)?.kept;
      return problem && toWire(problem);
    },

    unload: (model) =>
      turns.runExclusive(async () => {
        const entry = handles.get(model);
        if (!entry) return;
        handles.delete(model);
        entry.handles -= 1;
        if (entry.handles > 0) return;
        if (byUrl.get(entry.url) === entry) byUrl.delete(entry.url);
        entry.live.dispose();
      }),

    listPackages: async () => (await connectedStore().list()).map(stored),

    async storeUsage() {
      const kept = connectedStore();
      const [bytes, rows] = await Promise.all([kept.bytes(), kept.list()]);
      return { bytes, maxBytes: config.storage.maxBytes, packages: rows.length, available: !kept.problem() };
    },

    deletePackage: (url) => connectedStore().delete(url),
    clearStore: () => connectedStore().clear(),
    pinPackage: (url, pinned) => connectedStore().pin(url, pinned),

    abort(call) {
      running.get(call)?.abort();
    },
  };
}

/** Runs what it is given one after the other; a failure never reaches the next. */
function queue(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(run: () => Promise<T>): Promise<T> => {
    const mine = last.then(run);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** The hint is from another visit: the page may have other rights now. */
async function prewarmBackend(engine: Engine, hint: Target, { backends, maxThreads }: HostConfig): Promise<void> {
  if (!backends.includes(hint.backend) || !((hint.threads ?? 1) >= 1)) return;
  const { available, software, threads = 1 } = await engine.probe(hint.backend);
  if (available && !software && (hint.threads ?? 1) <= Math.min(threads, maxThreads)) await engine.start(hint);
}

/** Some browsers throw at its mention where a page may store nothing. */
function hasIndexedDB(): boolean {
  try {
    return typeof indexedDB !== "undefined";
  } catch {
    return false;
  }
}

function checkTask(wanted: TaskKind | undefined, manifest: Manifest, url: string): void {
  if (!wanted || wanted === manifest.task.kind) return;
  throw new InsituError("model_format", `${url} is a ${manifest.task.kind} model, ${wanted} was asked for.`, {
    url,
    task: manifest.task.kind,
    wanted,
  });
}

function describe({ manifest, digest, source }: Package, live: ModelRunner): LoadedModel["info"] {
  const { name, version, release, inputs, outputs, task } = manifest;
  const labels = "labels" in task ? task.labels : [];
  return { name, version, release, digest, ...live.residence(), inputs, outputs, task: task.kind, labels, source };
}

function refOf({ name, version, release, digest }: LoadedModel["info"]): ModelRef {
  return { name, version, release, digest };
}

/** What the page is told of a row. */
function stored({ url, name, version, release, digest, bytes, usedAt, pinned }: PackageRow): StoredPackage {
  return { url, name, version, release, digest, bytes, usedAt, pinned };
}
