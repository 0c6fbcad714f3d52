// The page's half: owns one worker, loads models into it, and hands what was measured to telemetry.
import { fromWire, InsituError } from "./errors.js";
import { type Limits, limited } from "./limits.js";
import { type Ask, createModel, type Model } from "./model-handle.js";
import type { HostConfig, HostEvent, Loaded } from "./protocol.js";
import { type Spawned, spawn } from "./spawn.js";
import { createTelemetry } from "./telemetry/telemetry.js";
import type {
  Backend,
  Capabilities,
  ClientOptions,
  Consent,
  LoadOptions,
  ModelInfo,
  Progress,
  TaskKind,
  TelemetryStats,
} from "./types.js";

export interface Client {
  /**
   * Loads the package at `url` (its folder, or its insitu.json), from the store when it was loaded before. Rejects with the
   * code of what went wrong; nothing half-loaded stays behind, and the call may be repeated.
   */
  load<K extends TaskKind = TaskKind>(url: string | URL, options?: LoadOptions<K>): Promise<Model<K>>;
  /** What this browser and page allow; starts the worker. */
  capabilities(): Promise<Capabilities>;
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

const ALL_BACKENDS: readonly Backend[] = ["webgpu", "wasm", "cpu"];
// Design default; under what browsers grant an origin on a phone with little free space (Safari: 1 GB before it asked).
const STORE_BYTES = 500e6;
// Probing answers at once; only a browser that hangs needs this.
const CAPABILITIES_MS = 60_000;
// Minutes for a first download on a slow line; a download that stands still ends after 15 s without a byte.
const LOAD_MS = 600_000;

/** Starts nothing yet: the worker begins with the first `load` or `capabilities`. Throws `input_invalid` for bad options. */
export function createClient(options: ClientOptions = {}): Client {
  const config = toConfig(options);
  const telemetry = createTelemetry(options.telemetry ?? {});
  const listeners = new Map<number, (progress: Progress) => void>();
  let worker: Promise<Spawned> | undefined;
  let disposed = false;
  let calls = 0;

  const onEvent = ({ call, progress }: HostEvent) => listeners.get(call)?.(progress);

  /** The running worker, or a new one when there is none yet or the last one died. */
  const running = async (): Promise<Spawned> => {
    if (disposed)
      throw new InsituError("aborted", "The client was disposed; create a new one.", { reason: "disposed" });
    const current = await worker?.catch(() => undefined);
    if (!current?.alive()) worker = spawn(options.worker, config, onEvent);
    return worker as Promise<Spawned>;
  };

  const ask: Ask = (to, signal, run) => {
    const call = ++calls;
    // What the page gives up, the worker stops; if it is dead, nothing is left to stop.
    signal.addEventListener("abort", () => void to.call(async (host) => host.abort(call)).catch(() => undefined));
    return to.call((host) => run(host, call));
  };

  const load = async <K extends TaskKind>(url: string | URL, given: LoadOptions<K> = {}): Promise<Model<K>> => {
    const folder = packageUrl(url);
    const limits: Limits = { signal: given.signal, timeout: given.timeout ?? LOAD_MS, what: `Loading ${folder}` };
    const started = performance.now();
    try {
      return await limited(limits, async (signal) => {
        const owner = await running();
        const loaded = await ask(owner, signal, async (host, call) => {
          if (given.onProgress) listeners.set(call, given.onProgress);
          return host.load(call, folder, { task: given.task }).finally(() => listeners.delete(call));
        });
        const info = toInfo(loaded);
        telemetry.loaded(info, performance.now() - started);
        return createModel<K>({ info, handle: loaded.model, worker: owner, ask, telemetry });
      });
    } catch (error) {
      telemetry.failed("load", error);
      throw error;
    }
  };

  const dispose = async () => {
    if (disposed) return;
    disposed = true;
    (await worker?.catch(() => undefined))?.end();
    await telemetry.close();
  };

  return {
    load,
    capabilities: () =>
      limited({ timeout: CAPABILITIES_MS, what: "Asking for capabilities" }, async (signal) =>
        ask<Capabilities>(await running(), signal, (host) => host.capabilities()),
      ),
    telemetry: { setConsent: telemetry.setConsent, flush: telemetry.flush, stats: telemetry.stats },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function toInfo({ info, storeError }: Loaded): ModelInfo {
  return storeError ? { ...info, storeError: fromWire(storeError) as InsituError } : info;
}

function toConfig(options: ClientOptions): HostConfig {
  const backends = options.backends ?? ALL_BACKENDS;
  const unknown = backends.filter((backend) => !ALL_BACKENDS.includes(backend));
  if (backends.length === 0 || unknown.length > 0) {
    throw new InsituError(
      "input_invalid",
      `backends is [${backends}]; allow at least one of ${ALL_BACKENDS.join(", ")}.`,
      { backends },
    );
  }
  const maxBytes = options.storage?.maxBytes ?? STORE_BYTES;
  if (!(maxBytes >= 0))
    throw new InsituError("input_invalid", `storage.maxBytes is ${maxBytes}; pass bytes, 0 or more.`, { maxBytes });
  return {
    backends: [...new Set(backends)],
    wasmBase: options.assets?.wasm === undefined ? undefined : folderUrl(options.assets.wasm, "assets.wasm"),
    storage: { name: options.storage?.name ?? "insitu", maxBytes },
  };
}

/** The package's folder, whatever of it the caller named. */
function packageUrl(url: string | URL): string {
  return folderUrl(String(url).replace(/(^|\/)insitu\.json$/, "$1"), "The package's URL");
}

function folderUrl(url: string, what: string): string {
  const base = typeof document === "undefined" ? globalThis.location?.href : document.baseURI;
  const parsed = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    throw new InsituError(
      "input_invalid",
      `${what} is "${url}"; pass an http or https address, absolute or relative to the page.`,
      { url },
    );
  }
  parsed.search = "";
  parsed.hash = "";
  if (!parsed.pathname.endsWith("/")) parsed.pathname += "/";
  return parsed.href;
}
