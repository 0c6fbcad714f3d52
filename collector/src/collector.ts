// Starts a collector: database, routes and port, opened in this order and closed in the opposite one.
import type { AddressInfo } from "node:net";
import { type AccessOptions, createAccess, type WriteKey } from "./access.js";
import { createAllowList } from "./allow-list.js";
import { createCatalogue } from "./catalogue.js";
import { openLastingStore } from "./lasting-store.js";
import type { TrustProxy } from "./proxies.js";
import { createRateLimit } from "./rate-limit.js";
import { parseRetrain, type RetrainOptions } from "./retrain/config.js";
import { Retrain } from "./retrain/retrain.js";
import { MARGINS, type Margins } from "./rollout/judge.js";
import { openRollouts, type Rollouts } from "./rollout/rollouts.js";
import { createServer } from "./server.js";
import { createSinks, type SinkOptions } from "./sinks/sinks.js";
import type { Store } from "./store.js";

export interface CollectorOptions extends AccessOptions {
  /**
   * 0 takes a free port.
   * @defaultValue 4318, the port of OTLP/HTTP
   */
  port?: number;
  /**
   * The address to listen on.
   * @defaultValue `"127.0.0.1"`: only this machine
   */
  host?: string;
  /**
   * The database's file, created when it is missing.
   * @defaultValue `"./telemetry.db"`
   */
  data?: string;
  /** When set, senders must send it. Without a key everyone who reaches the port may write. */
  writeKey?: string;
  /** Several such keys, each with its own origins. */
  writeKeys?: readonly WriteKey[];
  /** When set, `GET /metrics` and `GET /v1/report` need it as a bearer token. Without it everyone who reaches the port may read. */
  readToken?: string;
  /** When set, `PUT /v1/channels/:model` and `POST /v1/retrain/:id` need it as a bearer token; without it nobody may publish or report. */
  operatorToken?: string;
  /**
   * Keys of the site's own servers, sent as `authorization: Bearer …` or `x-insitu-key`. Outcomes from requests with one are trusted: only they
   * can promote a version. A page must never contain one.
   */
  trustedKeys?: readonly string[];
  /**
   * How much a candidate may be worse and still count as good: `accuracy` in points (0.02 is two), `latency` as a share (0.1 is 10 %).
   * @defaultValue `{ accuracy: 0.02, latency: 0.1 }`
   */
  margins?: Partial<Margins>;
  /** Paths of `insitu.json` with a reference profile, which drift is measured against. */
  references?: readonly string[];
  /**
   * The clock, in epoch milliseconds; for simulations.
   * @defaultValue `Date.now`
   */
  now?: () => number;
  /** Origins (`https://shop.example`) whose pages may write. Without any every origin may, without credentials. */
  allowOrigins?: readonly string[];
  /**
   * Names besides `localhost` and `host` under which `GET /metrics` and `GET /v1/report` may be requested, such as the name of a
   * service. Requests with IP addresses are always answered. Not used with a read token.
   */
  allowHosts?: readonly string[];
  /**
   * Batches that must hold data of a model, version, arm and backend before `GET /v1/report` shows it: data of a single visitor
   * would be personal.
   * @defaultValue 20
   */
  minBatches?: number;
  /** Attributes that are stored besides the library's own; a name that ends with a dot is a prefix. */
  allowAttributes?: readonly string[];
  /** Metrics that are accepted besides the library's own; a name that ends with a dot is a prefix. */
  allowMetrics?: readonly string[];
  /**
   * Requests per second from one address; bursts of four times as many.
   * @defaultValue 50
   */
  rate?: number;
  /**
   * Requests per second with one write key; bursts of four times as many.
   * @defaultValue 1_000
   */
  keyRate?: number;
  /**
   * Takes the sender's address from `X-Forwarded-For`: how many proxies are in front (nobody else may reach the port then), or the
   * proxies' addresses (IPs, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`).
   * @defaultValue none: the address of the connection
   */
  trustProxy?: TrustProxy;
  /**
   * Milliseconds for which a response of `GET /metrics` or `GET /v1/report` is sent again to who asks for the same; 0 makes each anew.
   * @defaultValue 1_000
   */
  readCache?: number;
  /** Other systems that stored batches are passed on to. */
  sinks?: SinkOptions;
  /**
   * Days for which points and events are stored, at least 8; the sums of `GET /metrics` are stored for good.
   * @defaultValue 30
   */
  keepDays?: number;
  /** Triggers and webhooks of retraining, by model. */
  retrain?: RetrainOptions;
}

export interface Collector {
  /** Its base URL: `http://127.0.0.1:4318`. */
  url: string;
  port: number;
  /**
   * Answers the requests in flight, stores them, sends the sinks what waits for them (10 seconds at most; what is left is stored for
   * the next start), and closes the database. Calling it twice is safe.
   */
  close(): Promise<void>;
}

const DEFAULT_PORT = 4318;
// Points and events are for charts and details; a month of both fits one file on one disk.
const KEEP_DAYS = 30;
// A page's outbox holds a request for 7 days: its id must be known as long.
const MIN_KEEP_DAYS = 8;
const DAY_MS = 24 * 3600 * 1000;
const MIN_BATCHES = 20;
// A page sends a request every 30 seconds; an office behind one address has some hundreds of pages.
const RATE = 50;
const KEY_RATE = 1_000;
// A dashboard reads every 5 seconds, Prometheus every 15: a hundred dashboards behind one address.
const READ_RATE = 20;
// Figures that are a second old are new enough for people and for Prometheus.
const READ_CACHE_MS = 1_000;
const FORGET_EVERY_MS = 3600 * 1000;

/**
 * Starts a collector and resolves once it listens. Nothing stays open when it rejects.
 *
 * @throws Error when the port is taken, the database cannot be used or an option is not valid; the message says what to do.
 * @example
 * ```ts
 * const collector = await startCollector({ port: 4318, data: "./telemetry.db", allowOrigins: ["https://shop.example"] });
 * console.log(collector.url);
 * await collector.close();
 * ```
 */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const { port = DEFAULT_PORT, host = "127.0.0.1", data = "./telemetry.db" } = options;
  const { minBatches = MIN_BATCHES, keepDays = KEEP_DAYS, rate = RATE, keyRate = KEY_RATE } = options;
  const { trustProxy, allowAttributes, allowMetrics, readCache = READ_CACHE_MS, now = Date.now } = options;
  checkKeepDays(keepDays);
  const access = createAccess({ ...options, host });
  const config = options.retrain && parseRetrain(options.retrain);
  const sinks = createSinks(options.sinks ?? {}, data);
  const margins = checkMargins(options.margins);
  const store = await openLastingStore(data, undefined, now);
  const rollouts = await openRollouts({ store, now, margins, references: options.references }).catch(closeAnd(store));
  const versionOf = stableOf(rollouts);
  const retrain = config && (await Retrain.open({ store, config, versionOf, now }).catch(closeAnd(store)));
  const app = createServer(store, access, {
    minBatches,
    readCache,
    trustProxy,
    allowList: createAllowList(allowAttributes),
    catalogue: createCatalogue(allowMetrics),
    limits: { address: limit(rate), key: limit(keyRate), read: limit(READ_RATE), channel: limit(rate) },
    rollouts,
    now,
    passOn: sinks.offer,
    sinkMetrics: sinks.metrics,
    retrain,
  });
  const forget = () => store.forget(now() - keepDays * DAY_MS);
  try {
    await forget();
    await app.listen({ port, host });
  } catch (error) {
    await app.close();
    await retrain?.close();
    await rollouts.close();
    await store.close();
    throw listenError(error, port, host);
  }
  sinks.resume();
  rollouts.start();
  retrain?.start();
  const timer = setInterval(() => void forget().catch(sayNotForgotten), FORGET_EVERY_MS).unref();
  const bound = (app.server.address() as AddressInfo).port;
  let closing: Promise<void> | undefined;
  const close = async () => {
    clearInterval(timer);
    await app.close();
    await retrain?.close();
    await rollouts.close();
    await sinks.close();
    await store.close();
  };
  return {
    url: `http://${reachable(host)}:${bound}`,
    port: bound,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function listenError(error: unknown, port: number, host: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return error;
  return new Error(`Port ${port} of ${host} is taken; choose another with --port.`, { cause: error });
}

const sayNotForgotten = (error: unknown) => console.error("Old points could not be deleted:", error);

/** With bursts of four times as many. */
const limit = (perSecond: number) => createRateLimit({ rate: perSecond, burst: 4 * perSecond });

/** Of a promise that rejects: nothing stays open. */
function closeAnd(store: Store): (error: unknown) => Promise<never> {
  return async (error) => {
    await store.close();
    throw error;
  };
}

function checkKeepDays(days: number): void {
  if (!(days >= MIN_KEEP_DAYS))
    throw new Error(
      `keepDays is ${days}; it must be at least ${MIN_KEEP_DAYS}, so that requests that a page sends again are recognised.`,
    );
}

function checkMargins(given: Partial<Margins> = {}): Margins {
  const margins = { ...MARGINS, ...given };
  for (const [name, value] of Object.entries(margins))
    if (!(value > 0 && value < 1)) throw new Error(`The margin of ${name} is ${value}; it must be over 0 and below 1.`);
  return margins;
}

/** The stable version of the published channel; without one it is read from what pages send. */
function stableOf({ channels }: Rollouts): (model: string) => string | undefined {
  return (model) => channels.newest(model)?.arms.find(({ role }) => role === "stable")?.version;
}

/** An address that a browser on this machine can open. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
