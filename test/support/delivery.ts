// Loads small packages in a page, with a package and a store per test, and returns the outcome of each load.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, vi } from "vitest";
import type { ClientOptions, LoadOptions } from "../../src/page/api-types.js";
import type { LoadProgress } from "../../src/shared/types/model.js";
import type { StoreEvent } from "../../src/shared/types/store.js";
import { importLibrary, type LibraryPage } from "./page.js";
import type { Fault, LoggedRequest, ServerOptions, TestServer } from "./server.js";
import { openSharedLibrary } from "./shared-browser.js";
import { GOOD_MANNERS } from "./static.js";

export interface Loading extends Pick<ClientOptions, "backends" | "trust">, Pick<LoadOptions, "refresh" | "timeout"> {
  /** Default: the address of the test's package. */
  url?: string;
  /** Address of a worker's script, in place of the library's own. */
  worker?: string;
  /** Name of the database. Default: the test's. */
  store?: string;
  /** Row to ask the model for. Default 3. */
  id?: number;
  /** Default: the library's page. */
  page?: Page;
  /** Milliseconds until the signal that the load was given aborts. */
  abortAfter?: number;
}

/** What came of a load, and of a prediction where it loaded. */
export interface Outcome {
  /** "" when the model loaded, else the error's. */
  code: string;
  message: string;
  data: Record<string, unknown>;
  /** Code of the error's cause, or its name where it is none of ours. */
  cause?: string;
  source?: string;
  version?: string;
  fellBackFrom?: { version: string; release: number; reason: string };
  storeError?: string;
  /** The first three numbers of the prediction, or the code of the failed prediction. */
  answer?: number[] | string;
  progress: LoadProgress[];
  events: StoreEvent[];
  /** Milliseconds until the load ended, one way or the other. */
  ms: number;
}

/** Package and store are others in each test; page and server are the same in all of a file. */
export interface Delivery {
  library: LibraryPage;
  server: TestServer;
  /** What is written here is served as `/packages/`. */
  root: string;
  /** Where the test's package is to be written. */
  folder: string;
  /** Its address, from the server's root, with both slashes. */
  path: string;
  /** Name of the test's database. */
  store: string;
  load(loading?: Loading): Promise<Outcome>;
  /** Makes all later requests for a file of the package fail, or one for each fault of a list. */
  fail(file: string, fault: Fault | Fault[]): void;
  /** The host is well again, and its log empty. */
  heal(): void;
  /** What was asked of the package's folder, or of one file in it. */
  asked(file?: string): LoggedRequest[];
  /** Another tab with the library in it. */
  tab(): Promise<Page>;
  /** Flips a bit of a stored chunk. */
  damage(sha256: string): Promise<boolean>;
  /** Loads in a tab that is closed when the host has sent `bytes` of its first response for `file`, and `chunks` are stored. */
  interrupt(file: string, bytes: number, chunks: number): Promise<void>;
  /** Hashes of the chunks, versions and begun downloads in the test's database. */
  stored(): Promise<{ chunks: string[]; versions: string[]; pending: number }>;
}

export function useDelivery(serve: ServerOptions = {}): Delivery {
  const root = mkdtempSync(join(tmpdir(), "insitu-delivery-"));
  let count = 0;
  const delivery = {
    root,
    async load({ page = delivery.library.page, ...given }: Loading = {}) {
      return page.evaluate(loadInPage, { url: delivery.path, store: delivery.store, ...given });
    },
    fail: (file, fault) => void delivery.server.faults.set(delivery.path + file, fault),
    heal() {
      delivery.server.faults.clear();
      Object.assign(delivery.server.manners, GOOD_MANNERS);
      delivery.server.requests.length = 0;
    },
    asked: (file = "") => delivery.server.requests.filter(({ url }) => url.startsWith(delivery.path + file)),
    async tab() {
      const page = await delivery.library.chromium.context.newPage();
      await page.goto(delivery.server.url);
      await importLibrary(page);
      return page;
    },
    damage: (sha256) => delivery.library.page.evaluate(flipStored, { store: delivery.store, sha256 }),
    async interrupt(file, bytes, chunks) {
      delivery.fail(file, [{ kind: "stall", bytes }]);
      const page = await delivery.tab();
      const lost = delivery.load({ page }).catch(() => "closed");
      await vi.waitFor(async () => expect((await delivery.stored()).chunks).toHaveLength(chunks), 10_000);
      await page.close();
      expect(await lost).toBe("closed");
      delivery.heal();
    },
    stored: () => delivery.library.page.evaluate(lookInto, delivery.store),
  } as Delivery;

  beforeAll(async () => {
    delivery.library = await openSharedLibrary({ ...serve, mounts: { "/packages/": root, ...serve.mounts } });
    delivery.server = delivery.library.server;
  });
  afterAll(async () => {
    await delivery.library?.close();
    rmSync(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    count += 1;
    delivery.folder = join(root, String(count));
    delivery.path = `/packages/${count}/`;
    delivery.store = `store-${count}`;
    await delivery.library.chromium.context.setOffline(false);
    // A new document has no workers that go on loading.
    await delivery.library.visit();
    delivery.heal();
  });
  return delivery;
}

// ---- in the page -------------------------------------------------------------------------------------------------

type Given = Omit<Loading, "page"> & { url: string; store: string };

async function loadInPage(given: Given): Promise<Outcome> {
  const { url, store, trust, backends = ["cpu"], refresh, timeout, abortAfter, id = 3 } = given;
  const { worker } = given;
  const client = window.insitu.createClient({ backends, trust, storage: { name: store }, worker });
  const progress: LoadProgress[] = [];
  const events: StoreEvent[] = [];
  for (const type of ["hit", "miss", "corrupt", "evicted", "unavailable", "reset"] as const)
    client.store.addEventListener(type, ({ detail }) => events.push(detail));
  const stop = new AbortController();
  if (abortAfter !== undefined) setTimeout(() => stop.abort(), abortAfter);
  const started = performance.now();
  const onProgress = (step: LoadProgress) => void progress.push(step);
  try {
    const model = await client.load(url, { task: "raw", onProgress, refresh, timeout, signal: stop.signal });
    const ms = performance.now() - started;
    const answer = await model.predict(new Int32Array([id])).then(
      ({ value }) => Array.from(Object.values(value)[0]?.data.slice(0, 3) ?? []),
      (error: { code: string }) => error.code,
    );
    await model.stored;
    const { source, version, fellBackFrom, storeError } = model.info;
    const loaded = { source, version, fellBackFrom, storeError: storeError?.code, answer };
    return { code: "", message: "", data: {}, ...loaded, progress, events, ms };
  } catch (error) {
    const ms = performance.now() - started;
    const { code, message, data, cause } = error as InstanceType<typeof window.insitu.InsituError>;
    const { code: causeCode, name } = (cause ?? {}) as { code?: string; name?: string };
    return { code: code ?? "no InsituError", message, data, cause: causeCode ?? name, progress, events, ms };
  } finally {
    await client.dispose();
  }
}

async function lookInto(store: string): Promise<Awaited<ReturnType<Delivery["stored"]>>> {
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  // Opened before the library has made it, it would be an empty one.
  const made = (await indexedDB.databases()).some(({ name }) => name === store);
  if (!made) return { chunks: [], versions: [], pending: 0 };
  const database = await done(indexedDB.open(store));
  const table = (name: string) => database.transaction(name).objectStore(name);
  const chunks = (await done(table("chunks").getAllKeys())) as string[];
  const rows = (await done(table("packages").getAll())) as { version: string }[];
  const pending = await done(table("pending").count());
  database.close();
  return { chunks, versions: rows.map(({ version }) => version).sort(), pending };
}

/**
 * Flips a bit of a chunk in the database `store`; runs in a page. With `old` the row becomes one of an older library, which stored no fast
 * checksum. Returns whether there was one.
 */
export async function flipStored(row: { store: string; sha256: string; old?: boolean }): Promise<boolean> {
  const { store, sha256, old } = row;
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await done(indexedDB.open(store));
  const chunks = () => database.transaction("chunks", "readwrite").objectStore("chunks");
  const kept = await done<{ file?: string; bytes: Blob | ArrayBuffer; xxh64?: string }>(chunks().get(sha256));
  const root = await navigator.storage.getDirectory();
  const file = kept.file && (await (await root.getDirectoryHandle(`insitu-${store}`)).getFileHandle(kept.file));
  const content = kept instanceof Blob || kept instanceof ArrayBuffer ? kept : kept.bytes;
  const bytes = new Uint8Array(await new Blob([file ? await file.getFile() : content]).arrayBuffer());
  bytes[10] = (bytes[10] as number) ^ 1;
  if (file && !old) {
    const writable = await file.createWritable();
    await writable.write(bytes);
    await writable.close();
  } else await done(chunks().put(kept.xxh64 && !old ? { ...kept, bytes: bytes.buffer } : new Blob([bytes]), sha256));
  database.close();
  return kept.xxh64 !== undefined;
}
