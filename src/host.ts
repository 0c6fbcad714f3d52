// The worker's desk: opens models, keeps them by handle, runs one prediction at a time and times its phases.
import { InsituError, toWire } from "./errors.js";
import { loadPackage } from "./model/load.js";
import type { Package } from "./model/package.js";
import type { Ports } from "./model/ports.js";
import { steadily } from "./model/progress.js";
import type { SafeStore } from "./model/safe-store.js";
import type { OnStoreEvent, PackageRow } from "./model/store-contract.js";
import type { Host, HostConfig, HostLoadOptions, LoadedModel, OnHostEvent, WireInput } from "./protocol.js";
import { toFeeds } from "./runtime/feeds.js";
import { type Opened, openSession } from "./runtime/open.js";
import type { Engine, Session } from "./runtime/session.js";
import { assertFinite, toValue } from "./runtime/task.js";
import type { Manifest, Progress, StoredPackage, TaskKind } from "./types.js";

/** What the host is made of; the worker passes the real ones. */
export interface HostParts {
  createEngine(config: HostConfig, store: SafeStore): Engine;
  openStore(config: HostConfig, emit: OnStoreEvent): SafeStore;
  ports: Ports;
}

/** A model that is open, shared by all handles on the same package. */
interface Entry {
  url: string;
  manifest: Manifest;
  info: LoadedModel["info"];
  session: Session;
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
  onProgress: (progress: Progress) => void;
}

export function createHost(parts: HostParts): Host {
  let config: HostConfig;
  let store: SafeStore | undefined;
  let engine: Engine;
  let emit: OnHostEvent = () => undefined;
  let nextHandle = 1;
  const handles = new Map<number, Entry>();
  const byUrl = new Map<string, Entry>();
  const running = new Map<number, AbortController>();
  // tfjs has one global backend and no notion of a request: runs follow each other, and a failed one never stops the next.
  const inTurn = queue();
  const loadTurns = new Map<string, ReturnType<typeof queue>>();
  const onStoreEvent: OnStoreEvent = (event) => void emit({ kind: "store", event });

  const connectedStore = (): SafeStore => {
    if (!store) throw new InsituError("_OTHER", "The worker was asked before it was connected.");
    return store;
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

  const open = (found: Package, { signal, onProgress }: Call): Promise<Opened> => {
    const { name, version, inputs, outputs, files } = found.manifest;
    const { model, weights } = found;
    const total = files.reduce((sum, file) => sum + file.size, 0);
    return inTurn(async () => {
      const onWeights = () => onProgress({ phase: "compile", loaded: 0, total });
      const options = { backends: config.backends, name: `${name} ${version}`, inputs, signal, onWeights };
      const opened = await openSession(engine, { model, weights, inputs, outputs }, options);
      onProgress({ phase: "compile", loaded: total, total });
      onProgress({ phase: "warmup", loaded: total, total });
      return opened;
    });
  };

  const openPackage = async (url: string, { task, refresh }: HostLoadOptions, call: Call): Promise<Ready> => {
    const { storage, trust } = config;
    const loaded = await loadPackage<Entry | Opened>(url, refresh === true, {
      ...{ store: connectedStore(), storeName: storage.name, ports: parts.ports, trust, emit: onStoreEvent, ...call },
      async open(found) {
        checkTask(task, found.manifest, url);
        const running = byUrl.get(url);
        // A refresh that found nothing newer than what runs.
        return running?.info.digest === found.digest ? running : open(found, call);
      },
    });
    const { opened, found, kept, fellBackFrom } = loaded;
    const isOpen = "handles" in opened;
    const info = { ...(isOpen ? opened.info : describe(found, opened)), fellBackFrom };
    if (isOpen) return { entry: opened, info };
    const { session } = opened;
    return { entry: { url, manifest: found.manifest, info, session, kept, handles: 0 }, info };
  };

  const load = async (number: number, url: string, options: HostLoadOptions, signal: AbortSignal) => {
    const known = options.refresh ? undefined : byUrl.get(url);
    if (known) checkTask(options.task, known.manifest, url);
    let heard: unknown;
    const onProgress = steadily((progress) => {
      if (options.progress) heard = emit({ kind: "progress", call: number, progress });
    });
    const open = known && { entry: known, info: known.info };
    const { entry, info: told } = open ?? (await openPackage(url, options, { signal, onProgress }));
    // Events go another way than answers: the last one must not come after this one.
    await heard;
    if (signal.aborted) {
      if (entry.handles === 0) entry.session.dispose();
      throw new InsituError("aborted", `Loading ${url} was aborted.`, { url });
    }
    const info: LoadedModel["info"] = entry.handles > 0 ? { ...told, source: "memory" } : told;
    byUrl.set(url, entry);
    entry.handles += 1;
    const model = nextHandle++;
    handles.set(model, entry);
    return { model, info };
  };

  return {
    connect(given, onEvent) {
      config = given;
      emit = onEvent;
      store = parts.openStore(given, onStoreEvent);
      engine = parts.createEngine(given, store);
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

    predict: (call, model, input) =>
      abortable(call, async (signal) => {
        const asked = performance.now();
        return inTurn(async () => {
          const queue = performance.now() - asked;
          if (signal.aborted) throw new InsituError("aborted", "The prediction was aborted before it began.");
          const entry = handles.get(model);
          if (!entry)
            throw new InsituError("aborted", "The model was disposed; load it again.", { reason: "disposed" });
          return predict(entry, input, queue);
        });
      }),

    async stored(model) {
      const problem = await handles.get(model)?.kept;
      return problem && toWire(problem);
    },

    unload: (model) =>
      inTurn(async () => {
        const entry = handles.get(model);
        if (!entry) return;
        handles.delete(model);
        entry.handles -= 1;
        if (entry.handles > 0) return;
        if (byUrl.get(entry.url) === entry) byUrl.delete(entry.url);
        entry.session.dispose();
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

function describe({ manifest, digest, source }: Package, { session, refused }: Opened): LoadedModel["info"] {
  const { name, version, release, inputs, outputs, task } = manifest;
  const labels = "labels" in task ? task.labels : [];
  const { backend } = session;
  return { name, version, release, digest, backend, refused, measured: [], inputs, outputs, task: task.kind, labels, source }; // biome-ignore format: one line
}

/** What the page is told of a row. */
function stored({ url, name, version, release, digest, bytes, usedAt, pinned }: PackageRow): StoredPackage {
  return { url, name, version, release, digest, bytes, usedAt, pinned };
}

async function predict({ manifest, session }: Entry, input: WireInput, queue: number) {
  const started = performance.now();
  const { feeds, placement } = await toFeeds(input, manifest.inputs);
  const prepared = performance.now();
  const { outputs, executeMs, readbackMs } = await session.run(feeds);
  const ran = performance.now();
  assertFinite(outputs, session.backend);
  const value = toValue(manifest, outputs, placement);
  const timings = {
    queue,
    preprocess: prepared - started,
    execute: executeMs,
    readback: readbackMs,
    postprocess: performance.now() - ran,
  };
  return { value, outputs, backend: session.backend, timings };
}
