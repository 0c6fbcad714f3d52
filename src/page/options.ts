// Checks the options that a page passed, and turns them into the worker's configuration.
import { InsituError } from "../shared/errors.js";
import { invalidOption } from "../shared/invalid-option.js";
import { isIos } from "../shared/is-ios.js";
import { parseUrl } from "../shared/parse-url.js";
import type { HostConfig } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type {
  BatchingOptions,
  PackageRequest,
  PackageRequestOptions,
  TrustedKey,
  TrustOptions,
} from "../shared/types/model.js";
import type { Backend } from "../shared/types/tensor.js";
import type { ChannelOptions, ClientOptions, LoadOptions } from "./api-types.js";
import { isInstanceOf } from "./input/capture-image.js";
import type { MonitorLimits } from "./lazy/drift/types.js";
import { checkType } from "./lib/check-option.js";

const ALL_BACKENDS: readonly Backend[] = ["webgpu", "wasm", "cpu"];
// Design default; under what browsers grant an origin on a phone with little free space (Safari: 1 GB before it asked).
const STORE_BYTES = 500e6;

/** The part of the workers' configuration that never changes, and how many workers there may be. */
export interface ClientConfig extends Pick<HostConfig, "backends" | "wasmBase" | "trust"> {
  storage: Omit<HostConfig["storage"], "expected">;
  pool: number;
  /** Bytes of WebAssembly memory from which on a worker that uses less than half of it is replaced. */
  maxHeldBytes: number;
}

const HELD_BYTES = 1e9;
// Safari on iOS ends pages of about 1 GB, on older devices of less; the page has needs of its own.
const IOS_BYTES = 256e6;

// Each holds its own copy of the models.
const MAX_WORKERS = 32;

const OBJECTS = ["storage", "assets", "trust", "memory", "personalization", "telemetry"] as const;

/** Throws `input_invalid` that names the option. */
export function checkOptions(options: ClientOptions): ClientConfig {
  for (const name of OBJECTS) checkType(name, options[name], "object");
  const backends = options.backends ?? ALL_BACKENDS;
  const isKnown = (backend: Backend) => ALL_BACKENDS.includes(backend);
  if (!Array.isArray(backends) || backends.length === 0 || !backends.every(isKnown))
    throw invalidOption("backends", backends, `an array of ${ALL_BACKENDS.join(", ")}`);
  const { name = "insitu", maxBytes = STORE_BYTES } = options.storage ?? {};
  if (!(maxBytes >= 0)) throw invalidOption("storage.maxBytes", maxBytes, "bytes, 0 or more");
  const wasm = options.assets?.wasm;
  checkType("storage.name", name, "string");
  checkType("assets.wasm", wasm, "string");
  const { pool = 1 } = options;
  if (!Number.isInteger(pool) || pool < 1 || pool > MAX_WORKERS)
    throw invalidOption("pool", pool, `an integer from 1 to ${MAX_WORKERS}`);
  const maxHeldBytes = options.memory?.maxBytes ?? (isIos() ? IOS_BYTES : HELD_BYTES);
  if (!(maxHeldBytes > 0)) throw invalidOption("memory.maxBytes", maxHeldBytes, "bytes, over 0");
  return {
    maxHeldBytes,
    pool,
    backends: [...new Set(backends)],
    wasmBase: wasm && folderUrl(wasm, "assets.wasm"),
    storage: { name, maxBytes },
    ...(options.trust && { trust: checkTrust(options.trust) }),
  };
}

/** By default 256 predictions of a model may wait: in batches of 32 they take some seconds. */
export const BATCHING: Required<BatchingOptions> = { maxBatchSize: 32, batchTimeout: 0, maxEnqueuedBatches: 8 };

/** What a load asks of the worker. */
export interface LoadConfig {
  task?: TaskKind;
  refresh?: boolean;
  /** As it was given. */
  batching?: BatchingOptions;
  request?: PackageRequest;
}

/** `url` is the package's, whose query string is sent with every file. Throws `input_invalid` that names the option. */
export function checkLoadOptions(options: LoadOptions, url: string | URL): LoadConfig {
  const { task, refresh, batching, request, monitor } = options;
  checkLimits(monitor);
  checkType("batching", batching, "object");
  checkType("request", request, "object");
  for (const [name, value] of Object.entries({ ...BATCHING, ...batching })) {
    const min = name === "batchTimeout" ? 0 : 1;
    const fits = typeof value === "number" && value >= min && (min === 0 || Number.isInteger(value));
    if (!fits || value === Number.POSITIVE_INFINITY) throw invalidOption(`batching.${name}`, value, `${min} or more`);
  }
  return { task, refresh, batching, request: requestOf(request, locate(textOf(url), PACKAGE).search) };
}

const CHANNEL_OPTIONS = ["every", "file", "pin"];
// Design default.
const EVERY_MS = 300_000;
/** A page that asks without a pause is an attack on its own host. */
const MIN_EVERY_MS = 1_000;

/** How a page follows a channel, checked. */
export interface ChannelConfig {
  every: number;
  pin?: string;
}

/** Throws `input_invalid` that names the option. `file` is checked where it is read. */
export function checkChannelOptions(options: ChannelOptions | undefined): ChannelConfig {
  checkType("channel", options, "object");
  for (const [name, value] of Object.entries(options ?? {}))
    if (!CHANNEL_OPTIONS.includes(name))
      throw invalidOption(`channel.${name}`, value, `only ${CHANNEL_OPTIONS.join(", ")}`);
  const { every = EVERY_MS, pin } = options ?? {};
  if (every !== 0 && !(typeof every === "number" && every >= MIN_EVERY_MS && every < Number.POSITIVE_INFINITY))
    throw invalidOption("channel.every", every, `0, or milliseconds from ${MIN_EVERY_MS} on`);
  checkType("channel.pin", pin, "string");
  return { every, ...(pin && { pin }) };
}

/** Throws `input_invalid` that names the option. */
function checkLimits(limits: MonitorLimits | undefined): void {
  checkType("monitor", limits, "object");
  for (const [name, value] of Object.entries(limits ?? {}))
    if (value !== undefined && !(value >= 0 && value <= 1)) throw invalidOption(`monitor.${name}`, value, "0 to 1");
}

// Sent by the library itself, for a part of a file.
const OWN_HEADERS = ["range", "if-range"];

function requestOf(options: PackageRequestOptions | undefined, query: string): PackageRequest | undefined {
  const { credentials, headers } = options ?? {};
  if (!credentials && !headers && !query) return undefined;
  if (credentials !== undefined && !["omit", "same-origin", "include"].includes(credentials))
    throw invalidOption("request.credentials", credentials, '"omit", "same-origin" or "include"');
  const sent = parseHeaders(headers);
  if (sent && !OWN_HEADERS.some((name) => sent.has(name)))
    return { query, credentials, headers: headers && Object.fromEntries(sent) };
  // The values may be secret, so that no message holds them.
  const message = `request.headers must have valid names and values, and neither ${OWN_HEADERS.join(" nor ")}.`;
  throw new InsituError("input_invalid", message, { option: "request.headers" });
}

function parseHeaders(headers: HeadersInit | undefined): Headers | undefined {
  try {
    return new Headers(headers);
  } catch {
    return undefined;
  }
}

/** A mistake here would make a page refuse every package, or accept any: it is reported when the client is created. */
function checkTrust({ keys, threshold = 1 }: TrustOptions): TrustOptions {
  const refuse = (problem: string): never => {
    throw new InsituError("input_invalid", `trust cannot be used: ${problem}.`, { option: "trust" });
  };
  if (!Array.isArray(keys) || keys.length === 0) return refuse("keys is empty; pass at least one");
  const checked = keys.map(({ id, publicKey }: TrustedKey): TrustedKey => {
    if (typeof id !== "string" || id === "") return refuse("a key has no id");
    return { id, publicKey: rawKey(publicKey) ?? refuse(`the publicKey of ${id} is not base64 of 32 bytes`) };
  });
  if (new Set(checked.map(({ id }) => id)).size < keys.length) refuse("two keys have the same id");
  // Otherwise one key under two ids would count as two signatures.
  if (new Set(checked.map(({ publicKey }) => publicKey)).size < keys.length) refuse("two ids name the same key");
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length)
    throw invalidOption("trust.threshold", threshold, `an integer from 1 to ${keys.length}`);
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

const PACKAGE = "url";
/** An empty string for what is no address: `null` would be a folder of that name. */
const textOf = (url: unknown): string => (typeof url === "string" || isInstanceOf(url, "URL") ? String(url) : "");

/** The package's folder without query string, which is its key in the store. Also takes the URL of its insitu.json. */
export function packageUrl(url: string | URL): string {
  return folderUrl(textOf(url), PACKAGE);
}

/** Where a channel is, without query string, and what the addresses of its packages are relative to. */
export interface ChannelAddress {
  url: string;
  base: string;
}

/**
 * The channel that `url` names, or undefined for a package: a `.json` file other than insitu.json, or `name@alias`, which is the file
 * `name/alias.json`. With `file` that is the channel, and `url` the folder of its packages.
 */
export function channelOf(url: string | URL, file?: string | URL): ChannelAddress | undefined {
  if (file !== undefined)
    return { url: addressOf(textOf(file), "channel.file", (path) => path), base: packageUrl(url) };
  const href = addressOf(textOf(url), PACKAGE, (path) => path.replace(/@([^/@]+)$/, "/$1.json"));
  return /\.json$/.test(href) && !/\/insitu\.json$/.test(href) ? { url: href, base: href } : undefined;
}

function folderUrl(url: string, option: string): string {
  return addressOf(url, option, (path) => path.replace(/\/insitu\.json$/, "/").replace(/[^/]$/, "$&/"));
}

function addressOf(url: string, option: string, change: (path: string) => string): string {
  const parsed = locate(url, option);
  parsed.search = "";
  parsed.hash = "";
  parsed.pathname = change(parsed.pathname);
  return parsed.href;
}

/** Throws `input_invalid`. Extensions and apps (Tauri, Capacitor) have schemes of their own, which their pages may use. */
function locate(url: string, option: string): URL {
  const { document, location } = globalThis;
  const parsed = url ? parseUrl(url, document?.baseURI ?? location?.href) : undefined;
  const hasScheme = parsed && ["http:", "https:", location?.protocol].includes(parsed.protocol);
  // `fetch` refuses a user and a password, which no message may hold either.
  if (hasScheme && !parsed.username && !parsed.password) return parsed;
  const expected = "an address by http, https or the page's own scheme, without password";
  throw invalidOption(option, url.replace(/\/\/[^/]*@/, "//"), expected);
}
