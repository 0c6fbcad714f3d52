// Starts a collector inside another program, as the command line does.
import type { AddressInfo } from "node:net";
import type { AccessOptions } from "./access.js";
import { createServer } from "./server.js";
import { openStore } from "./store.js";

export interface CollectorOptions extends AccessOptions {
  /** Default 4318, OTLP's; 0 takes a free one. */
  port?: number;
  /** Default 127.0.0.1: this machine only. */
  host?: string;
  /** The database file, made when missing. Default `./telemetry.db`. */
  data?: string;
}

export interface Collector {
  /** Such as `http://127.0.0.1:4318`. */
  url: string;
  port: number;
  /** Answers what is open, writes everything to disk, ends. */
  close(): Promise<void>;
}

/** Rejects when the port is taken or the database cannot be opened. */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const store = await openStore(options.data ?? "./telemetry.db");
  const app = createServer(store, options);
  const host = options.host ?? "127.0.0.1";
  try {
    await app.listen({ port: options.port ?? 4318, host });
  } catch (error) {
    await store.close();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    async close() {
      await app.close();
      await store.close();
    },
  };
}
