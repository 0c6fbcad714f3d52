// Loads synthetic packages in a page and returns plain data, since errors lose their code between page and test.
import type { BrowserContext, Page } from "playwright";
import type { ClientOptions, LoadOptions, ModelStore, StoreEvent } from "../../src/index.js";
import type { Chromium } from "./chromium.js";
import { ROW } from "./synthetic.js";

/** What a load came to: a model, and what it predicts for `ROW`, or an error. */
export interface Outcome {
  source?: "network" | "cache" | "memory";
  release?: number;
  sum?: number[];
  storeError?: { code: string; message: string };
  error?: { code: string; message: string };
}

/** Someone who was never on any site. */
export async function newVisitor({ context }: Chromium): Promise<BrowserContext> {
  const browser = context.browser();
  if (!browser) throw new Error("The browser has closed.");
  return browser.newContext();
}

/** A page with the built library in it; `window.insitu` as `openLibrary` has it. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await visit(page, url);
  return page;
}

export async function visit(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.addScriptTag({
    type: "module",
    content: 'import * as insitu from "/dist/index.js"; window.insitu = insitu;',
  });
  await page.waitForFunction(() => "insitu" in window);
}

type Options = Pick<ClientOptions, "storage"> & { worker?: string };

/** A new client in place of the page's last one, that writes down the store's events. */
export function startClient(page: Page, options: Options = {}): Promise<void> {
  return page.evaluate(async (given) => {
    if ("client" in window) await window.client.dispose();
    window.client = window.insitu.createClient({ backends: ["cpu"], ...given });
    window.events = [];
    window.predict = {};
    for (const type of ["hit", "miss", "corrupt", "evicted", "unavailable", "reset"] as const)
      window.client.store.addEventListener(type, ({ detail }) => window.events.push(detail));
  }, options);
}

/** The model of the last load of `path` goes on running until `dispose`; `predict` asks it again. */
export function load(page: Page, path: string, options: Pick<LoadOptions, "refresh"> = {}): Promise<Outcome> {
  return page.evaluate(
    async ({ path, options, row }) => {
      const plain = ({ code, message }: { code: string; message: string }) => ({ code, message });
      try {
        const model = await window.client.load(path, { ...options, task: "raw" });
        window.predict[path] = async () => {
          const { outputs } = await model.predict(Int32Array.of(row));
          return [...(outputs["sum:0"]?.data.subarray(0, 4) ?? [])];
        };
        const sum = await window.predict[path]?.();
        await model.stored;
        const { source, release, storeError } = model.info;
        return { source, release, sum, ...(storeError && { storeError: plain(storeError) }) };
      } catch (error) {
        return { error: plain(error as { code: string; message: string }) };
      }
    },
    { path, options, row: ROW },
  );
}

export async function loadFresh(page: Page, path: string, options: Options = {}): Promise<Outcome> {
  await startClient(page, options);
  return load(page, path);
}

export function predict(page: Page, path: string): Promise<number[] | undefined> {
  return page.evaluate((key) => window.predict[key]?.(), path);
}

type Asked = "list" | "usage" | "clear" | "requestPersistence";

export function ask<M extends Asked>(page: Page, method: M): Promise<Awaited<ReturnType<ModelStore[M]>>> {
  const asked = page.evaluate((name): Promise<unknown> => window.client.store[name](), method as Asked);
  return asked as Promise<Awaited<ReturnType<ModelStore[M]>>>;
}

export function askFor(page: Page, method: "delete" | "pin" | "unpin", path: string): Promise<boolean> {
  return page.evaluate(([name, url]) => window.client.store[name](url), [method, path] as const);
}

export function eventsOf(page: Page): Promise<StoreEvent[]> {
  return page.evaluate(() => window.events);
}

/**
 * Sizes of the chunks that are stored, read without the library; undefined while there is no database. Rejects where a file belongs to no
 * chunk, unless `lost` says that the database may have lost some.
 */
export function storedChunks(page: Page, name = "insitu", lost = false): Promise<number[] | undefined> {
  return page.evaluate(
    async ([wanted, mayBeLost]) => {
      // Opening one that does not exist would make it.
      const found = (await indexedDB.databases()).find((database) => database.name === wanted);
      if (!found) return undefined;
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open(wanted));
      const store = database.transaction("chunks").objectStore("chunks");
      const rows = await done<{ file?: string; bytes: Blob | ArrayBuffer }[]>(store.getAll());
      database.close();
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(`insitu-${wanted}`);
      const files: string[] = [];
      for await (const file of folder.keys()) files.push(file);
      const named = rows.flatMap(({ file }) => file ?? []);
      if (!mayBeLost && files.some((file) => !named.includes(file))) throw new Error("A file belongs to no chunk.");
      const sizeOf = async (row: (typeof rows)[number]) => {
        if (row.file) return (await (await folder.getFileHandle(row.file)).getFile()).size;
        return new Blob([row instanceof ArrayBuffer || row instanceof Blob ? row : row.bytes]).size;
      };
      return Promise.all(rows.map(sizeOf));
    },
    [name, lost] as const,
  );
}
