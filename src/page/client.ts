// The page's half: owns the workers, loads models into them, and hands what was measured to telemetry.

import type { HostEvent, HostLoadOptions, LoadedModel } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { Capabilities, LoadProgress } from "../shared/types/model.js";
import type { TrainingProgress } from "../shared/types/personal.js";
import type { ClientOptions, LoadOptions } from "./api-types.js";
import type { TelemetryRecord } from "./lazy/telemetry/records.js";
import type { TelemetryConsent, TelemetryStats } from "./lazy/telemetry/types.js";
import { type CallLimits, withTimeout } from "./lib/with-timeout.js";
import { createModel, type Model, refOf } from "./model.js";
import { importMonitor } from "./monitor.js";
import { checkLoadOptions, checkOptions, packageUrl } from "./options.js";
import { createPersonalPrivacy, type PersonalPrivacy } from "./personal-privacy.js";
import { type AskHost, createStoreHandle, type ModelStore } from "./storage/model-store.js";
import { createStoreFlag } from "./storage/store-flag.js";
import { createTelemetryHandle, describeFailure } from "./telemetry.js";
import { createBackendHint } from "./workers/backend-hint.js";
import type { Ask } from "./workers/connection.js";
import { createWorkerPool, type PooledWorker, type WorkerIncident } from "./workers/pool.js";
import { createShutdownLog } from "./workers/shutdown-log.js";

export interface Client {
  /**
   * Loads the package at `url` (its folder, or its insitu.json), from the store when it was loaded before. Rejects with the
   * code of what went wrong; nothing half-loaded stays behind, and the call may be repeated.
   */
  load<K extends TaskKind = TaskKind>(url: string | URL, options?: LoadOptions<K>): Promise<Model<K>>;
  /** What this browser and page allow; starts the worker. */
  capabilities(): Promise<Capabilities>;
  readonly store: ModelStore;
  readonly telemetry: {
    /** `pending` keeps records in memory, `denied` drops them and all later ones. */
    setConsent(consent: TelemetryConsent): void;
    /** Sends what is waiting; resolves when it was sent or could not be. Never rejects. */
    flush(): Promise<void>;
    stats(): TelemetryStats;
  };
  readonly personal: PersonalPrivacy;
  /** Ends the worker; open calls reject with `disposed`. Twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// Probing answers at once; only a browser that hangs needs this.
const CAPABILITIES_MS = 60_000;
// A hanging database is given up after three tries of 5 s each.
const STORE_MS = 60_000;
// Minutes for a first download on a slow line; a download that stands still ends after 15 s without a byte.
const LOAD_MS = 600_000;

/** Starts nothing yet: the worker begins with the first `load` or `capabilities`. Throws `input_invalid` for bad options. */
export function createClient(options: ClientOptions = {}): Client {
  const watches = options.monitor !== false;
  const { pool, maxHeldBytes, ...config } = checkOptions(options);
  const telemetry = createTelemetryHandle(options.telemetry ?? {}, config.storage.name);
  const listeners = new Map<number, (progress: LoadProgress) => void>();
  const trainings = new Map<number, (progress: TrainingProgress) => void>();
  let disposed = false;
  let calls = 0;
  const kept = createStoreFlag(config.storage.name);
  const hint = createBackendHint(config.storage.name);

  const onEvent = (event: Exclude<HostEvent, { kind: "residence" }>) => {
    switch (event.kind) {
      case "progress":
        return listeners.get(event.call)?.(event.progress);
      case "training":
        return trainings.get(event.call)?.(event.progress);
      case "store":
        // A reset is a miss of whatever is loaded next.
        if (event.event.type !== "reset") telemetry.record({ kind: "cache", result: event.event.type });
        return storeHandle.tell(event.event);
      default:
        return event satisfies never;
    }
  };
  const workers = createWorkerPool({
    source: options.worker,
    config: () => ({ ...config, storage: { ...config.storage, expected: kept.isSet() }, hint: hint.get() }),
    pool,
    maxHeldBytes,
    closed: createShutdownLog(config.storage.name),
    onEvent,
    onTrouble: (trouble) => telemetry.record(troubleRecord(trouble)),
  });
  const [home] = workers.slots;

  const ask: Ask = (to, signal, run) => {
    const call = ++calls;
    // What the page gives up, the worker stops; if it is dead, nothing is left to stop.
    signal.addEventListener("abort", () => void to.call(async (host) => host.abort(call)).catch(() => undefined));
    return to.call((host) => run(host, call));
  };

  const askStore: AskHost = (what, run) =>
    withTimeout({ timeout: STORE_MS, what }, async (signal) => ask(await home.worker(), signal, (host) => run(host)));
  const storeHandle = createStoreHandle(askStore, kept.remove);

  const onTraining = (call: number, listener: (progress: TrainingProgress) => void) => {
    trainings.set(call, listener);
    return () => void trainings.delete(call);
  };
  const { learning, personal } = createPersonalPrivacy(askStore, config.storage.name, options.personalization?.consent);

  const measureStore = async () => {
    const { bytes } = await askStore("Measuring the store", (host) => host.storeUsage());
    telemetry.record({ kind: "storage", bytes });
  };

  const loadInto = async (
    worker: PooledWorker,
    folder: string,
    options: Omit<HostLoadOptions, "progress">,
    signal: AbortSignal,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<LoadedModel> => {
    let number = 0;
    try {
      return await ask(worker, signal, async (host, call) => {
        number = call;
        if (onProgress) listeners.set(call, onProgress);
        return host.load(call, folder, { ...options, progress: onProgress !== undefined });
      });
    } finally {
      listeners.delete(number);
    }
  };

  const load = async <K extends TaskKind>(url: string | URL, given: LoadOptions<K> = {}): Promise<Model<K>> => {
    const folder = packageUrl(url);
    const options = checkLoadOptions(given);
    const limits: CallLimits = { signal: given.signal, timeout: given.timeout ?? LOAD_MS, what: `Loading ${folder}` };
    const again: CallLimits = { timeout: LOAD_MS, what: `Loading ${folder} again` };
    const started = performance.now();
    telemetry.begin();
    // A few kilobytes that come while the model does; without them the model runs all the same.
    const monitoring = importMonitor(watches);
    try {
      return await withTimeout(limits, async (signal) => {
        const worker = await home.worker();
        const loaded = await loadInto(worker, folder, options, signal, given.onProgress);
        const { info, cost } = loaded;
        telemetry.record({
          ...{ kind: "loaded", model: refOf(info), backend: info.backend, source: info.source },
          ...{ durationMs: performance.now() - started, ...cost },
        });
        const model = createModel<K>({
          ...{
            loaded,
            worker,
            slots: workers.slots,
            ask,
            telemetry,
            monitoring: await monitoring,
            storeName: config.storage.name,
            onStored: kept.set,
            onMove: hint.set,
            batching: options.batching,
            learning,
            onTraining,
          },
          // Without asking the host: the version that ran is in the store.
          reload: (into) =>
            withTimeout(again, (signal) => loadInto(into, folder, { ...options, refresh: false }, signal)),
        });
        if (telemetry.isOn) void model.stored.then(measureStore).catch(() => undefined);
        return model;
      });
    } catch (error) {
      telemetry.record({
        kind: "failed",
        stage: "load",
        durationMs: performance.now() - started,
        ...describeFailure(error),
      });
      throw error;
    }
  };

  const dispose = async () => {
    if (disposed) return;
    disposed = true;
    // Also of a worker that is not ready yet, and perhaps never will be.
    workers.end();
    await telemetry.close();
  };

  return {
    load,
    capabilities: () =>
      withTimeout({ timeout: CAPABILITIES_MS, what: "Asking for capabilities" }, async (signal) =>
        ask<Capabilities>(await home.worker(), signal, (host) => host.capabilities()),
      ),
    store: storeHandle.store,
    personal,
    telemetry: { setConsent: telemetry.setConsent, flush: telemetry.flush, stats: telemetry.stats },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function troubleRecord(trouble: WorkerIncident): TelemetryRecord {
  switch (trouble.kind) {
    case "moved": {
      const { from, code } = trouble.moved;
      if (from !== trouble.to) return { kind: "fellBack", from, to: trouble.to, errorType: code };
      return { kind: "restarted", reason: code === "device_lost" ? code : "oom" };
    }
    case "died":
      return { kind: "restarted", reason: trouble.error.data.reason === "hung" ? "watchdog" : "error" };
    default:
      return trouble satisfies never;
  }
}
