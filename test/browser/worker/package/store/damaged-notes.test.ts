// Damage to what a device found out about a package: it is found out again and told, and no prediction is wrong for long.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../../../../support/chromium.js";
import { openPage } from "../../../../support/loads.js";
import { type LibraryPage, MOUNTS } from "../../../../support/page.js";
import { blobFiles } from "../../../../support/profile.js";
import { startServer, type TestServer } from "../../../../support/server.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

interface Visit {
  /** Largest difference of the features from those of the first visit: before and after the target was checked. */
  errors: number[];
  backend: string;
  source: string;
  corrupt: { path: string; sha256: string }[];
}

/** Loads the features, predicts, and predicts again once the model is tuned. */
async function visit(page: Page, right?: number[]): Promise<Visit & { features: number[] }> {
  return page.evaluate(async (right) => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"] });
    const corrupt: Visit["corrupt"] = [];
    client.store.addEventListener("corrupt", ({ detail }) => corrupt.push(detail as Visit["corrupt"][number]));
    const model = await client.load("/models/features/");
    const { source } = model.info;
    const input = Float32Array.from({ length: 224 * 224 * 3 }, (_, index) => (index % 29) / 29);
    const predict = async () => Array.from((await model.predict(input)).outputs.features?.data ?? []);
    const first = await predict();
    await Promise.all([model.stored, model.tuned]);
    const second = await predict();
    const { backend } = model.info;
    await client.dispose();
    const expected = right ?? first;
    const errorOf = (found: number[]) => Math.max(...found.map((value, at) => Math.abs(value - (expected[at] ?? 9))));
    return { errors: [errorOf(first), errorOf(second)], backend, source, corrupt, features: first };
  }, right);
}

describe("on the disk", () => {
  let profile: string;
  let server: TestServer;
  let chromium: Chromium | undefined;
  beforeEach(async () => {
    profile = mkdtempSync(join(tmpdir(), "insitu-notes-"));
    server = await startServer({ mounts: MOUNTS });
  });
  afterEach(async () => {
    await chromium?.close();
    await server.close();
    rmSync(profile, { recursive: true, force: true });
  });
  const launch = async () => {
    chromium = await launchChromium({ userDataDir: profile });
    return openPage(chromium.context, server.url);
  };

  /** Alters 800 bytes behind the first thousand, which hold names and shapes. */
  const overwrite = (path: string) => {
    const bytes = readFileSync(path);
    for (let at = 1000; at < 1800 && at < bytes.length; at += 1) bytes[at] = (bytes[at] as number) ^ 0x41;
    writeFileSync(path, bytes);
  };
  const damages: Record<string, (path: string) => void> = {
    "has 800 altered bytes": overwrite,
    "is cut short": (path) => truncateSync(path, 500),
    "is gone": (path) => rmSync(path),
  };

  test.each(Object.keys(damages))("a rewritten graph whose file %s is made again, and told", async (how) => {
    const before = await visit(await launch());
    await chromium?.close();
    const files = blobFiles(profile).filter((path) => readFileSync(path).includes('"unused":['));
    expect(files).toHaveLength(1);
    damages[how]?.(files[0] as string);
    const page = await launch();
    const after = await visit(page, before.features);
    expect(after).toMatchObject({ backend: before.backend, source: "cache" });
    expect(Math.max(...after.errors)).toBeLessThan(1e-6);
    expect(after.corrupt).toMatchObject([{ path: "notes/graph", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    // It was stored again.
    expect((await visit(page, before.features)).corrupt).toEqual([]);
  });
});

describe("with the right hash", () => {
  let library: LibraryPage;
  beforeEach(async () => {
    library = await openSharedLibrary();
  });
  afterEach(() => library?.close());

  /** Changes the stored graph's constants and hashes it again, as a fault of the library or of a driver might. */
  const poison = () =>
    library.page.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open("insitu"));
      type Row = { kind: string; bytes: Blob };
      const rows = await done<Row[]>(database.transaction("notes").objectStore("notes").getAll());
      const row = rows.find(({ kind }) => kind === "graph") as Row;
      const content = await row.bytes.arrayBuffer();
      const [length = 0] = new Uint32Array(content, 0, 1);
      const numbers = new Float32Array(content.slice(4 + length, 4 + length + 4 * 64)).map((value) => 50 - value);
      new Uint8Array(content).set(new Uint8Array(numbers.buffer), 4 + length);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
      const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
      const store = database.transaction("notes", "readwrite").objectStore("notes");
      await done(store.put({ ...row, bytes: new Blob([content]), sha256 }));
      database.close();
    });

  test("a rewritten graph that computes something else is found by the self-test, and left", async () => {
    const before = await visit(library.page);
    await poison();
    const after = await visit(library.page, before.features);
    // What this test rests on: the graph was used, and its outputs are wrong.
    expect(after.errors[0]).toBeGreaterThan(1e-3);
    expect(after.errors[1]).toBeLessThan(1e-6);
    const later = await visit(library.page, before.features);
    expect(Math.max(...later.errors)).toBeLessThan(1e-6);
    expect(later).toMatchObject({ backend: before.backend, corrupt: [] });
  });
});
