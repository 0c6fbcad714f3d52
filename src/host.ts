// The worker's desk: loads packages, keeps their sessions by handle, runs one prediction at a time and times its phases.
import { asInsituError, InsituError, toWire } from "./errors.js";
import { loadPackage, type Package } from "./model/load.js";
import type { Store } from "./model/store.js";
import type { Host, HostConfig, HostEvent, Loaded, WireInput } from "./protocol.js";
import { choose } from "./runtime/choose.js";
import { toFeeds, zeros } from "./runtime/feeds.js";
import type { Engine, Session } from "./runtime/session.js";
import { assertFinite, toValue } from "./runtime/task.js";
import type { Manifest, ModelInfo, Progress, Refusal, TaskKind } from "./types.js";

/** What the host is made of; the worker passes the real ones. */
export interface HostParts {
  createEngine(config: HostConfig, store: Store): Engine;
  openStore(config: HostConfig): Store;
}

/** A model that is open, shared by all handles on the same package. */
interface Entry {
  url: string;
  manifest: Manifest;
  info: Loaded["info"];
  storeError?: InsituError;
  session: Session;
  handles: number;
}

// Progress crosses the wall at most this often; a screen shows no more, and each message costs both threads.
const PROGRESS_MS = 50;

export function createHost(parts: HostParts): Host {
  let config: HostConfig | undefined;
  let store: Store;
  let engine: Engine;
  let emit: (event: HostEvent) => void = () => undefined;
  let nextHandle = 1;
  const handles = new Map<number, Entry>();
  const byUrl = new Map<string, Entry>();
  const running = new Map<number, AbortController>();
  // tfjs has one global backend and no notion of a request: runs follow each other, and a failed one never stops the next.
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = last.then(run);
    last = mine.catch(() => undefined);
    return mine;
  };

  const abortable = async <T>(call: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (!config) throw new InsituError("_OTHER", "The worker was asked before it was connected.");
    const controller = new AbortController();
    running.set(call, controller);
    try {
      return await run(controller.signal);
    } finally {
      running.delete(call);
    }
  };

  const openModel = async (
    url: string,
    wanted: TaskKind | undefined,
    signal: AbortSignal,
    call: number,
  ): Promise<Entry> => {
    const onProgress = throttle((progress: Progress) => emit({ kind: "progress", call, progress }));
    const loaded = await loadPackage(url, { store, signal, onProgress });
    const { manifest } = loaded;
    checkTask(wanted, manifest, url);
    const total = manifest.files.reduce((sum, file) => sum + file.size, 0);
    onProgress({ phase: "compile", loaded: 0, total });
    const { session, refused } = await inTurn(() =>
      openSession(engine, (config as HostConfig).backends, loaded, signal),
    );
    onProgress({ phase: "warmup", loaded: total, total });
    return {
      url,
      manifest,
      session,
      handles: 0,
      info: describe(loaded, session, refused),
      storeError: loaded.storeError,
    };
  };

  return {
    connect(given, onEvent) {
      config = given;
      emit = onEvent;
      store = parts.openStore(given);
      engine = parts.createEngine(given, store);
    },

    async capabilities() {
      const { backends } = config as HostConfig;
      return {
        backends: await Promise.all(backends.map((backend) => engine.probe(backend))),
        crossOriginIsolated: globalThis.crossOriginIsolated === true,
        indexedDB: typeof indexedDB !== "undefined",
      };
    },

    load: (call, url, { task }) =>
      abortable(call, async (signal) => {
        const open = byUrl.get(url);
        if (open) checkTask(task, open.manifest, url);
        const entry = open ?? (await openModel(url, task, signal, call));
        if (signal.aborted) {
          if (entry.handles === 0) entry.session.dispose();
          throw new InsituError("aborted", `Loading ${url} was aborted.`, { url });
        }
        byUrl.set(url, entry);
        entry.handles += 1;
        const model = nextHandle++;
        handles.set(model, entry);
        const info: Loaded["info"] = open ? { ...entry.info, source: "memory" } : entry.info;
        return { model, info, ...(entry.storeError && { storeError: toWire(entry.storeError) }) };
      }),

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

    abort(call) {
      running.get(call)?.abort();
    },
  };
}

function checkTask(wanted: TaskKind | undefined, manifest: Manifest, url: string): void {
  if (!wanted || wanted === manifest.task.kind) return;
  throw new InsituError("model_format", `${url} is a ${manifest.task.kind} model, ${wanted} was asked for.`, {
    url,
    task: manifest.task.kind,
    wanted,
  });
}

/** Opens the model on the first backend that runs it, and says why the others were not used. */
async function openSession(
  engine: Engine,
  backends: HostConfig["backends"],
  { manifest, model, weights }: Package,
  signal: AbortSignal,
): Promise<{ session: Session; refused: Refusal[] }> {
  const { order, refused } = choose(await Promise.all(backends.map((backend) => engine.probe(backend))));
  for (const backend of order) {
    if (signal.aborted) throw new InsituError("aborted", "Loading was aborted.");
    try {
      const session = await engine.open(
        { model, weights, inputs: manifest.inputs, outputs: manifest.outputs },
        backend,
      );
      await warmUp(session, manifest);
      return { session, refused };
    } catch (error) {
      const { message } = asInsituError(error, "backend_unavailable", `${backend} failed`);
      refused.push({ backend, reason: message });
    }
  }
  const reasons = refused.map(({ backend, reason }) => `${backend} (${reason})`).join("; ");
  throw new InsituError(
    "backend_unavailable",
    `No allowed backend runs ${manifest.name} ${manifest.version}: ${reasons}.`,
    { refused },
  );
}

/** The first run compiles kernels and uploads weights; it also proves that the backend has every kernel the graph needs. */
async function warmUp(session: Session, manifest: Manifest): Promise<void> {
  try {
    await session.run(zeros(manifest.inputs));
  } catch (error) {
    session.dispose();
    throw error;
  }
}

function describe(loaded: Package, session: Session, refused: Refusal[]): Loaded["info"] {
  const { name, version, release, inputs, outputs, task } = loaded.manifest;
  return {
    name,
    version,
    release,
    digest: loaded.digest,
    backend: session.backend,
    refused,
    measured: [],
    inputs,
    outputs,
    task: task.kind,
    labels: "labels" in task ? task.labels : [],
    source: loaded.source,
  } satisfies ModelInfo;
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

/** Lets a phase's first and last step through, and of those between one every 50 ms. */
function throttle(send: (progress: Progress) => void): (progress: Progress) => void {
  let phase = "";
  let sentAt = 0;
  return (progress) => {
    const now = performance.now();
    if (progress.phase === phase && progress.loaded < progress.total && now - sentAt < PROGRESS_MS) return;
    phase = progress.phase;
    sentAt = now;
    send(progress);
  };
}
