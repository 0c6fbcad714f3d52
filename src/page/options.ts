// Checks what a page passed to the client, and turns it into what the worker is told.
import { InsituError } from "../shared/errors.js";
import type { HostConfig } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { BatchingOptions, TrustedKey, TrustOptions } from "../shared/types/model.js";
import type { Backend } from "../shared/types/tensor.js";
import type { ClientOptions, LoadOptions } from "./api-types.js";

const ALL_BACKENDS: readonly Backend[] = ["webgpu", "wasm", "cpu"];
// Design default; under what browsers grant an origin on a phone with little free space (Safari: 1 GB before it asked).
const STORE_BYTES = 500e6;

/** What of the workers' configuration is the same each time one is started, and how many there may be. */
export interface ClientConfig extends Pick<HostConfig, "backends" | "wasmBase" | "trust"> {
  storage: Omit<HostConfig["storage"], "expected">;
  pool: number;
  /** Bytes of WebAssembly memory that a worker may hold in vain. */
  maxHeldBytes: number;
}

const HELD_BYTES = 1e9;
// Safari on iOS ends pages of about 1 GB, on older devices of less; the page has needs of its own.
const IOS_BYTES = 256e6;

/** iPadOS says that it is a Mac, which has no touch screen. */
function isIos(): boolean {
  const { userAgent = "", maxTouchPoints = 0 } = globalThis.navigator ?? {};
  return /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
}

// Each holds its own copy of the models.
const MAX_WORKERS = 32;

/** Throws `input_invalid` that names the option. */
export function checkOptions(options: ClientOptions): ClientConfig {
  const backends = options.backends ?? ALL_BACKENDS;
  const unknown = backends.filter((backend) => !ALL_BACKENDS.includes(backend));
  if (backends.length === 0 || unknown.length > 0) {
    const message = `backends is [${backends}]; allow at least one of ${ALL_BACKENDS.join(", ")}.`;
    throw new InsituError("input_invalid", message, { backends });
  }
  const { name = "insitu", maxBytes = STORE_BYTES } = options.storage ?? {};
  if (!(maxBytes >= 0))
    throw new InsituError("input_invalid", `storage.maxBytes is ${maxBytes}; pass bytes, 0 or more.`, { maxBytes });
  const wasm = options.assets?.wasm;
  const { pool = 1 } = options;
  if (!Number.isInteger(pool) || pool < 1 || pool > MAX_WORKERS)
    throw new InsituError("input_invalid", `pool is ${pool}; pass a whole number from 1 to ${MAX_WORKERS}.`, { pool });
  const maxHeldBytes = options.memory?.maxBytes ?? (isIos() ? IOS_BYTES : HELD_BYTES);
  if (!(maxHeldBytes > 0))
    throw new InsituError("input_invalid", `memory.maxBytes is ${maxHeldBytes}; pass bytes, over 0.`, { maxHeldBytes });
  return {
    maxHeldBytes,
    pool,
    backends: [...new Set(backends)],
    wasmBase: wasm === undefined ? undefined : folderUrl(wasm, "assets.wasm"),
    storage: { name, maxBytes },
    ...(options.trust && { trust: checkTrust(options.trust) }),
  };
}

/** By default 256 predictions of a model may wait: as many as 32 at a time run in some seconds. */
const BATCHING: Required<BatchingOptions> = { maxBatchSize: 32, batchTimeout: 0, maxEnqueuedBatches: 8 };

/** Throws `input_invalid` that names the option. */
export function checkLoadOptions({ task, refresh, batching: given = {} }: LoadOptions): {
  task?: TaskKind;
  refresh?: boolean;
  batching: Required<BatchingOptions>;
} {
  const batching = { ...BATCHING, ...given };
  for (const [name, value] of Object.entries(batching)) {
    const least = name === "batchTimeout" ? 0 : 1;
    const fits = typeof value === "number" && value >= least && (least === 0 || Number.isInteger(value));
    if (!fits || value === Number.POSITIVE_INFINITY)
      throw new InsituError("input_invalid", `batching.${name} is ${value}; pass ${least} or more.`, { [name]: value });
  }
  return { task, refresh, batching };
}

/** A mistake here would leave a page that refuses every package, or accepts any: it is told when the client is made. */
function checkTrust({ keys, threshold = 1 }: TrustOptions): TrustOptions {
  const refuse = (problem: string): never => {
    throw new InsituError("input_invalid", `trust cannot be used: ${problem}.`, { field: "trust" });
  };
  if (!Array.isArray(keys) || keys.length === 0) return refuse("keys is empty; pass at least one, or leave trust out");
  const checked = keys.map(({ id, publicKey }: TrustedKey): TrustedKey => {
    if (typeof id !== "string" || id === "") return refuse("a key has no id");
    return { id, publicKey: rawKey(publicKey) ?? refuse(`the publicKey of ${id} is not base64 of 32 bytes`) };
  });
  if (new Set(checked.map(({ id }) => id)).size < keys.length) refuse("two keys have the same id");
  // Otherwise one key under two ids would count as two signatures.
  if (new Set(checked.map(({ publicKey }) => publicKey)).size < keys.length) refuse("two ids name the same key");
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length)
    refuse(`threshold is ${threshold}; pass a whole number from 1 to ${keys.length}, the number of keys`);
  return { keys: checked, threshold };
}

/** The key in the one form that base64 has for it, or undefined. */
function rawKey(publicKey: unknown): string | undefined {
  try {
    const bytes = atob(String(publicKey));
    return bytes.length === 32 ? btoa(bytes) : undefined;
  } catch {
    return undefined;
  }
}

/** The package's folder, whatever of it the caller named. */
export function packageUrl(url: string | URL): string {
  return folderUrl(String(url).replace(/(^|\/)insitu\.json$/, "$1"), "The package's URL");
}

function folderUrl(url: string, what: string): string {
  const base = typeof document === "undefined" ? globalThis.location?.href : document.baseURI;
  const parsed = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    const message = `${what} is "${url}"; pass an http or https address, absolute or relative to the page.`;
    throw new InsituError("input_invalid", message, { url });
  }
  parsed.search = "";
  parsed.hash = "";
  if (!parsed.pathname.endsWith("/")) parsed.pathname += "/";
  return parsed.href;
}
