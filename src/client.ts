// The page's half: owns one worker, loads models into it, and hands what was measured to telemetry.
import { InsituError } from "./errors.js";
import { keptMarker } from "./kept-marker.js";
import { type Limits, limited } from "./limits.js";
import { type Ask, createModel, type Model } from "./model-handle.js";
import { checkOptions, packageUrl } from "./options.js";
import type { HostEvent, LoadedModel } from "./protocol.js";
import { type Spawned, spawn } from "./spawn.js";
import { type AskHost, createStoreHandle, type ModelStore } from "./store-handle.js";
import { createTelemetry } from "./telemetry/telemetry.js";
import type { Capabilities, ClientOptions, Consent, LoadOptions, Progress, TaskKind, TelemetryStats } from "./types.js";

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
    setConsent(consent: Consent): void;
    /** Sends what is waiting; resolves when it was sent or could not be. Never rejects. */
    flush(): Promise<void>;
    stats(): TelemetryStats;
  };
  /** Ends the worker; open calls reject with `aborted`. Twice is safe. */
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
  const config = checkOptions(options);
  const telemetry = createTelemetry(options.telemetry ?? {});
  const listeners = new Map<number, (progress: Progress) => void>();
  let worker: Promise<Spawned> | undefined;
  const ended = new AbortController();
  let calls = 0;
  const kept = keptMarker(config.storage.name);

  const onEvent = (event: HostEvent) => {
    switch (event.kind) {
      case "progress":
        return listeners.get(event.call)?.(event.progress);
      case "store":
        return storeHandle.tell(event.event);
      default:
        return event satisfies never;
    }
  };

  /** The running worker, or a new one when there is none yet or the last one died. */
  const running = async (): Promise<Spawned> => {
    if (ended.signal.aborted)
      throw new InsituError("aborted", "The client was disposed; create a new one.", { reason: "disposed" });
    // Without a wait before it is set, or two calls at once would start two.
    worker ??= start();
    return worker;
  };

  const start = (): Promise<Spawned> => {
    const forget = () => {
      if (worker === mine) worker = undefined;
    };
    const storage = { ...config.storage, expected: kept.isSet() };
    const mine = spawn(options.worker, { ...config, storage }, onEvent, forget, ended.signal);
    mine.catch(forget);
    return mine;
  };

  const ask: Ask = (to, signal, run) => {
    const call = ++calls;
    // What the page gives up, the worker stops; if it is dead, nothing is left to stop.
    signal.addEventListener("abort", () => void to.call(async (host) => host.abort(call)).catch(() => undefined));
    return to.call((host) => run(host, call));
  };

  const askStore: AskHost = (what, run) =>
    limited({ timeout: STORE_MS, what }, async (signal) => ask(await running(), signal, (host) => run(host)));
  const storeHandle = createStoreHandle(askStore, kept.remove);

  const load = async <K extends TaskKind>(url: string | URL, given: LoadOptions<K> = {}): Promise<Model<K>> => {
    const folder = packageUrl(url);
    const limits: Limits = { signal: given.signal, timeout: given.timeout ?? LOAD_MS, what: `Loading ${folder}` };
    const started = performance.now();
    let number = 0;
    try {
      return await limited(limits, async (signal) => {
        const owner = await running();
        const loaded = await ask<LoadedModel>(owner, signal, async (host, call) => {
          number = call;
          if (given.onProgress) listeners.set(call, given.onProgress);
          const { task, refresh } = given;
          return host.load(call, folder, { task, refresh, progress: given.onProgress !== undefined });
        });
        const { info, model } = loaded;
        telemetry.loaded(info, performance.now() - started);
        return createModel<K>({ info, handle: model, worker: owner, ask, telemetry, onStored: kept.set });
      });
    } catch (error) {
      telemetry.failed("load", error);
      throw error;
    } finally {
      listeners.delete(number);
    }
  };

  const dispose = async () => {
    if (ended.signal.aborted) return;
    // Also of a worker that is not ready yet, and perhaps never will be.
    ended.abort();
    await telemetry.close();
  };

  return {
    load,
    capabilities: () =>
      limited({ timeout: CAPABILITIES_MS, what: "Asking for capabilities" }, async (signal) =>
        ask<Capabilities>(await running(), signal, (host) => host.capabilities()),
      ),
    store: storeHandle.store,
    telemetry: { setConsent: telemetry.setConsent, flush: telemetry.flush, stats: telemetry.stats },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
