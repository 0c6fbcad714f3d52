// Puts the collector together: database, routes and port, opened in order and closed in the opposite one.
import type { AddressInfo } from "node:net";
import { type AccessOptions, createAccess, type WriteKey } from "./access.js";
import { createAllowList } from "./allow-list.js";
import { createRateLimit } from "./rate-limit.js";
import { createServer } from "./server.js";
import { createSinks, type SinkOptions } from "./sinks/sinks.js";
import { openStore } from "./store.js";

export interface CollectorOptions extends AccessOptions {
  /** Default 4318, the port of OTLP/HTTP; 0 takes a free one. */
  port?: number;
  /** The address to listen on. Default 127.0.0.1: only this machine. */
  host?: string;
  /** The database's file, made when it is missing. Default `./telemetry.db`. */
  data?: string;
  /** When set, senders must show it. Default: everyone who reaches the port may write. */
  writeKey?: string;
  /** Several such keys, each for pages of its own origins. */
  writeKeys?: readonly WriteKey[];
  /** When set, `GET /metrics` and `GET /v1/report` need it as a bearer token. Default: everyone who reaches the port may read. */
  readToken?: string;
  /** Origins (`https://shop.example`) whose pages may write. Default: any, without credentials. */
  allowOrigins?: readonly string[];
  /**
   * Batches that must speak of a model, version, arm and backend before `GET /v1/report` shows it: what one visitor alone uses
   * would tell of him. Default 20.
   */
  minBatches?: number;
  /** Attributes that are kept beside the library's own; one that ends with a dot stands for all that begin with it. */
  allowAttributes?: readonly string[];
  /** Requests a second that one address may make, four times as many at once. Default 50. */
  rate?: number;
  /** Requests a second that all who show one write key may make together, four times as many at once. Default 1,000. */
  keyRate?: number;
  /** Takes the sender's address from a proxy's `X-Forwarded-For`. Default false: without a proxy anybody could write it. */
  trustProxy?: boolean;
  /** Where else what was counted goes. Default nowhere. */
  sinks?: SinkOptions;
  /** Days for which points and events are kept; the sums of `GET /metrics` stay. Default 30, at least 8. */
  keepDays?: number;
}

export interface Collector {
  /** Where it listens: `http://127.0.0.1:4318`. */
  url: string;
  port: number;
  /** Answers what is in flight, writes it and closes the database. Safe to call twice. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 4318;
// Points and events are for charts and for looking closer; a month of both is what one file on one disk carries.
const KEEP_DAYS = 30;
// A page's outbox holds a request for 7 days: as long its name must be known.
const LEAST_DAYS = 8;
const DAY_MS = 24 * 3600 * 1000;
const MIN_BATCHES = 20;
// A page makes one request in half a minute; an office behind one address has some hundreds of pages.
const RATE = 50;
const KEY_RATE = 1_000;
const FORGET_EVERY_MS = 3600 * 1000;

/**
 * Starts a collector and resolves once it listens. Rejects with an `Error` that says what to do when the port is taken,
 * the database cannot be used or an origin is none; nothing stays open then.
 */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const { port = DEFAULT_PORT, host = "127.0.0.1", data = "./telemetry.db" } = options;
  const { minBatches = MIN_BATCHES, keepDays = KEEP_DAYS, rate = RATE, keyRate = KEY_RATE } = options;
  const { trustProxy = false, allowAttributes } = options;
  if (!(keepDays >= LEAST_DAYS))
    throw new Error(
      `Points cannot be kept for ${keepDays} days: at least ${LEAST_DAYS}, so that what a page sends again is known.`,
    );
  const access = createAccess(options);
  const sinks = createSinks(options.sinks ?? {});
  const store = await openStore(data);
  const bucket = (each: number) => createRateLimit({ rate: each, burst: 4 * each });
  const app = createServer(store, access, {
    ...{ minBatches, trustProxy, allowList: createAllowList(allowAttributes) },
    limits: { address: bucket(rate), key: bucket(keyRate) },
    ...{ passOn: sinks.offer, sinks: sinks.figures },
  });
  try {
    await store.forget(Date.now() - keepDays * DAY_MS);
    await app.listen({ port, host });
  } catch (error) {
    await app.close();
    await store.close();
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw taken ? new Error(`Port ${port} of ${host} is taken; choose another with --port.`, { cause: error }) : error;
  }
  const timer = setInterval(() => {
    store
      .forget(Date.now() - keepDays * DAY_MS)
      .catch((error) => console.error("Old points could not be deleted:", error));
  }, FORGET_EVERY_MS);
  timer.unref();
  const bound = (app.server.address() as AddressInfo).port;

  let closing: Promise<void> | undefined;
  const close = async () => {
    clearInterval(timer);
    await app.close();
    await sinks.close();
    await store.close();
  };
  return {
    url: `http://${shown(host)}:${bound}`,
    port: bound,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** An address that a browser on this machine can open. */
function shown(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
