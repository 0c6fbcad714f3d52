// Puts the collector together: database, routes and port, opened in order and closed in the opposite one.
import type { AddressInfo } from "node:net";
import { type AccessOptions, createAccess } from "./access.js";
import { createServer } from "./server.js";
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
  /** When set, `GET /metrics` needs it as a bearer token. Default: everyone who reaches the port may read. */
  readToken?: string;
  /** Origins (`https://shop.example`) whose pages may write. Default: any, without credentials. */
  allowOrigins?: readonly string[];
  /**
   * Batches that must speak of a model, version, arm and backend before `GET /v1/report` shows it: what one visitor alone uses
   * would tell of him. Default 20.
   */
  minBatches?: number;
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
const FORGET_EVERY_MS = 3600 * 1000;

/**
 * Starts a collector and resolves once it listens. Rejects with an `Error` that says what to do when the port is taken,
 * the database cannot be used or an origin is none; nothing stays open then.
 */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const { port = DEFAULT_PORT, host = "127.0.0.1", data = "./telemetry.db" } = options;
  const { minBatches = MIN_BATCHES, keepDays = KEEP_DAYS } = options;
  if (!(keepDays >= LEAST_DAYS))
    throw new Error(
      `Points cannot be kept for ${keepDays} days: at least ${LEAST_DAYS}, so that what a page sends again is known.`,
    );
  const access = createAccess(options);
  const store = await openStore(data);
  const app = createServer(store, access, { minBatches });
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
