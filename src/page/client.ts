// The entry of the page's half: owns the workers, loads models into them, and passes figures to telemetry.
import type { TaskKind } from "../shared/types/manifest.js";
import type { Capabilities } from "../shared/types/model.js";
import type { ClientOptions, LoadOptions } from "./api-types.js";
import type { TelemetryRecord } from "./lazy/telemetry/records.js";
import type { TelemetryConsent, TelemetryStats } from "./lazy/telemetry/types.js";
import { readOptions } from "./lib/check-option.js";
import { createLoader } from "./load.js";
import type { Model } from "./model.js";
import { checkOptions } from "./options.js";
import { createPersonalPrivacy, type PersonalPrivacy } from "./personal-privacy.js";
import { createStoreHandle, type ModelStore, type StoreCall } from "./storage/model-store.js";
import { createStoreFlag } from "./storage/store-flag.js";
import { createTelemetryHandle } from "./telemetry.js";
import { createBackendHint } from "./workers/backend-hint.js";
import { createWorkerPool, type WorkerIncident, type WorkerPoolDeps } from "./workers/pool.js";
import { createRpc } from "./workers/rpc.js";
import { createShutdownLog } from "./workers/shutdown-log.js";

export interface Client {
  /**
   * Loads the package at `url` (its folder, or its insitu.json), from the store when it was loaded before. Nothing half-loaded stays
   * behind, and the call may be repeated.
   *
   * The address of another `.json` file, or `name@alias` (the file `name/alias.json`), is a channel: it says which version this browser runs,
   * and `model.rollout` follows it.
   * @throws An {@link InsituError} with the code of what went wrong: `network`, `http_4xx`, `http_5xx`, `timeout`, `aborted`,
   * `disposed`, `model_format`, `model_integrity`, `model_signature`, `model_expired`, `model_rollback`, `model_too_large`,
   * `backend_unavailable`, `out_of_memory`, `csp_blocked`, `worker_crashed`, or `input_invalid` for options that do not fit.
   * @example
   * ```ts
   * const model = await client.load("/models/objects/", { task: "detection" });
   * ```
   */
  load<K extends TaskKind = TaskKind>(url: string | URL, options?: LoadOptions<K>): Promise<Model<K>>;
  /**
   * What this browser and page allow; starts the worker.
   * @example
   * ```ts
   * const { backends } = await client.capabilities();
   * ```
   */
  capabilities(): Promise<Capabilities>;
  /** The packages that are stored in this browser. */
  readonly store: ModelStore;
  /** What the library reports to the site's collector; off without `options.telemetry`. */
  readonly telemetry: {
    /**
     * Changes the visitor's consent: `granted` sends, `pending` keeps records in memory, `denied` drops them and all later ones.
     * @throws `input_invalid` for another value.
     * @example
     * ```ts
     * client.telemetry.setConsent("granted");
     * ```
     */
    setConsent(consent: TelemetryConsent): void;
    /**
     * Sends the waiting records; resolves when they were sent or could not be sent. Never rejects.
     * @example
     * ```ts
     * await client.telemetry.flush();
     * ```
     */
    flush(): Promise<void>;
    /**
     * The numbers of records that were made, sent, are waiting, and were dropped, since the page was opened.
     * @example
     * ```ts
     * const { recorded, sent, dropped } = client.telemetry.stats();
     * ```
     */
    stats(): TelemetryStats;
  };
  /** What was learned from this user on this site, and their consent. */
  readonly personal: PersonalPrivacy;
  /** Terminates the workers; open calls reject with `disposed`. Calling it twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// Probing answers at once; only a browser that hangs needs this.
const CAPABILITIES_MS = 60_000;
// A database that hangs is given up after three tries of 5 s each.
const STORE_MS = 60_000;

/**
 * Creates a client. Starts nothing yet: the worker starts with the first call that needs one.
 * @throws `input_invalid` for options that do not fit; the message names the option. Those of `telemetry` are checked by `load`.
 * @example
 * ```ts
 * import { createClient } from "insitu";
 * const client = createClient();
 * const model = await client.load("/models/digits/");
 * ```
 */
export function createClient(given?: ClientOptions): Client {
  const options: ClientOptions = readOptions(given);
  const { pool, maxHeldBytes, ...config } = checkOptions(options);
  const storeName = config.storage.name;
  const telemetry = createTelemetryHandle(options.telemetry, storeName);
  const storeFlag = createStoreFlag(storeName);
  const hint = createBackendHint(storeName);
  const onEvent: WorkerPoolDeps["onEvent"] = ({ event }) => {
    // A reset is a miss of whatever is loaded next.
    if (event.type !== "reset") telemetry.record({ kind: "cache", result: event.type });
    storeHandle.dispatch(event);
  };
  const { slots, spare, end } = createWorkerPool({
    source: options.worker,
    config: () => ({ ...config, storage: { ...config.storage, expected: storeFlag.isSet() }, hint: hint.get() }),
    pool,
    maxHeldBytes,
    shutdownLog: createShutdownLog(storeName),
    onEvent,
    onIncident: (incident) => telemetry.record(incidentRecord(incident)),
  });
  const rpc = createRpc(slots[0]);
  const storeCall: StoreCall = (method, args, what) => rpc.call(method, args, { timeout: STORE_MS, what });
  const storeHandle = createStoreHandle(storeCall, storeFlag.remove);
  const { learning, personal } = createPersonalPrivacy(storeCall, storeName, options.personalization?.consent);
  const ended = new AbortController();
  const load = createLoader({
    slots,
    spare,
    rpc,
    maxHeldBytes,
    telemetry,
    storeCall,
    storeName,
    learning,
    monitors: options.monitor !== false,
    onStored: storeFlag.set,
    onMove: hint.set,
    clientEnd: ended.signal,
  });
  const dispose = async () => {
    // Also of a worker that is not ready yet, and perhaps never will be.
    end();
    ended.abort();
    await telemetry.close();
  };

  return {
    load,
    capabilities: () =>
      rpc.call("capabilities", [], { timeout: CAPABILITIES_MS, what: "Reading the capabilities of the browser" }),
    store: storeHandle.store,
    personal,
    telemetry: { setConsent: telemetry.setConsent, flush: telemetry.flush, stats: telemetry.stats },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function incidentRecord(incident: WorkerIncident): TelemetryRecord {
  if (incident.kind === "died")
    return { kind: "restarted", reason: incident.error.data.reason === "hung" ? "watchdog" : "error" };
  const { from, code } = incident.change;
  if (from !== incident.to) return { kind: "fellBack", from, to: incident.to, errorType: code };
  return { kind: "restarted", reason: code === "device_lost" ? code : "oom" };
}
