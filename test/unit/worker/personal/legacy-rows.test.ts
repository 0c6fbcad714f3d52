// Rows and export files of earlier releases, which name their fields otherwise, are read.
import { expect, test } from "vitest";
import { sha256 } from "../../../../src/shared/sha256.js";
import { bytesOf, encrypt } from "../../../../src/worker/personal/aes-gcm.js";
import {
  type ExampleRow,
  type ModelRow,
  openPersonalDatabase,
  type VersionRow,
} from "../../../../src/worker/personal/database.js";
import { ExampleStore } from "../../../../src/worker/personal/example-store.js";
import { fromFile } from "../../../../src/worker/personal/export-format.js";
import { exportModel, importModel } from "../../../../src/worker/personal/import-export.js";
import type { KeyStore } from "../../../../src/worker/personal/key-store.js";
import { ModelRecord } from "../../../../src/worker/personal/model-record.js";
import { VersionStore } from "../../../../src/worker/personal/version-store.js";

const EMBEDDER = "e".repeat(64);
const BASE = { name: "digits", version: "1.0.0", release: 1, digest: "d" };
const VECTOR = Float32Array.of(0.6, 0.8);
const FACTS = {
  time: 1_700_000_000_000,
  milliseconds: 12.5,
  trigger: "asked",
  labels: ["one"],
  counts: { one: { trained: 3, heldOut: 1 } },
  judged: {},
  activated: true,
  reason: "It was better.",
  base: BASE,
  backend: "wasm",
};
const HEAD = { weights: VECTOR, bias: new Float32Array(1), means: VECTOR, limits: Float32Array.of(Infinity) };

/** Keys in memory, as a browser stores them in files. */
function memoryKeys(): KeyStore {
  const keys = new Map<string, CryptoKey>();
  return {
    async create() {
      const id = `key ${keys.size}`;
      const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
      keys.set(id, key);
      return { id, key };
    },
    open: async (id) => keys.get(id),
    erase: async (id) => void keys.delete(id),
    eraseAll: async () => keys.clear(),
  };
}

/** Without IndexedDB the database is in memory. */
function openStores() {
  const record = new ModelRecord(openPersonalDatabase("legacy"), memoryKeys(), "digits", "mine");
  const examples = new ExampleStore(record);
  return { record, examples, versions: new VersionStore(record, examples) };
}

/** Stores one example and one version as the release before did. */
async function withOldRows() {
  const stores = openStores();
  const { record } = stores;
  const { key } = await record.access(await record.begin());
  // An earlier release wrote no life.
  const row = { ...((await record.state()) as ModelRow), life: undefined };
  const seal = (kind: string, id: string | number, facts: object, parts: Uint8Array[]) =>
    encrypt(key, JSON.stringify([kind, "digits", "mine", id]), { facts, parts });
  const [model, name, id] = ["digits", "mine", "a".repeat(32)];
  const example = {
    model,
    name,
    id,
    time: 1_700_000_000_000,
    place: 1,
    embedder: EMBEDDER,
    kept: false,
    heldOut: false,
    box: await seal("example", id, { label: "one" }, [bytesOf(VECTOR)]),
  };
  const facts = { ...FACTS, head: { kind: "nearest-mean", labels: ["one"], size: 2 } };
  const arrays = [HEAD.weights, HEAD.bias, HEAD.means, HEAD.limits].map(bytesOf);
  const version = { model, name, version: 1, embedder: EMBEDDER, box: await seal("version", 1, facts, arrays) };
  await record.database.change("store old rows", "strict", async (change) => {
    await change.put("examples", example as unknown as ExampleRow);
    await change.put("versions", version as unknown as VersionRow);
    await change.put("models", { ...row, active: 1, nextVersion: 2 });
  });
  return stores;
}

async function oldFile(): Promise<Blob> {
  const example = {
    id: "a".repeat(32),
    label: "one",
    time: 1_700_000_000_000,
    heldOut: false,
    embedder: EMBEDDER,
    vector: VECTOR.byteLength,
  };
  const arrays = [HEAD.weights, HEAD.bias, HEAD.means, HEAD.limits].map(bytesOf);
  const version = {
    ...FACTS,
    version: 1,
    head: "nearest-mean",
    embedder: EMBEDDER,
    size: 2,
    numbers: arrays.map((bytes) => bytes.byteLength),
  };
  const header = Buffer.from(JSON.stringify({ model: "digits", active: 1, examples: [example], versions: [version] }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const content = Buffer.concat([Buffer.from("insituP1"), length, header, bytesOf(VECTOR), ...arrays]);
  return new Blob([content, Buffer.from(await sha256(Uint8Array.from(content)), "hex")]);
}

test("an old row of an example is read, gets another embedding, and is removed", async () => {
  const { record, examples } = await withOldRows();
  const [example] = (await examples.list()).examples;
  expect(example).toMatchObject({ label: "one", addedAt: 1_700_000_000_000, order: 1, heldOut: false });
  expect([...(example?.vector ?? [])]).toEqual([...VECTOR]);
  await examples.embedAgain(await record.begin(), "a".repeat(32), "f".repeat(64), Float32Array.of(1, 0));
  const [again] = (await examples.list()).examples;
  expect(again).toMatchObject({ label: "one", addedAt: 1_700_000_000_000, embedder: "f".repeat(64) });
  expect([...(again?.vector ?? [])]).toEqual([1, 0]);
  expect(await examples.remove(["a".repeat(32)])).toBe(1);
});

test("an old row of a version is read, used and followed by a new one", async () => {
  const { record, versions, examples } = await withOldRows();
  const [version] = await versions.list();
  expect(version?.facts).toMatchObject({ version: 1, trainedAt: 1_700_000_000_000, durationMs: 12.5 });
  expect(version?.facts).not.toHaveProperty("milliseconds");
  const { facts, embedder, head } = version as NonNullable<typeof version>;
  expect(
    await versions.commit(await record.begin(), { facts, embedder, head }, new Map([["a".repeat(32), true]])),
  ).toBe(2);
  // It was trained on before.
  expect((await examples.list()).examples[0]?.heldOut).toBe(false);
  await versions.use(await record.begin(), 1);
});

test("old rows are exported with the current names", async () => {
  const file = await exportModel(await withOldRows(), BASE, true);
  const { examples, versions } = await fromFile(new Uint8Array(await file.arrayBuffer()));
  expect(examples).toMatchObject([{ addedAt: 1_700_000_000_000 }]);
  expect(versions).toMatchObject([{ facts: { trainedAt: 1_700_000_000_000, durationMs: 12.5 } }]);
});

test("an old export file is imported", async () => {
  const stores = openStores();
  const base = { ref: BASE, embedder: EMBEDDER };
  const expected = { examples: 1, versions: 1, known: 0, unusable: 0 };
  expect(await importModel(stores, base, await oldFile())).toEqual(expected);
  expect((await stores.examples.list()).examples).toMatchObject([{ label: "one", addedAt: 1_700_000_000_000 }]);
  const [version] = await stores.versions.list();
  expect(version?.facts).toMatchObject({ trainedAt: 1_700_000_000_000, durationMs: 12.5, activated: true });
  const again = await importModel(stores, base, await oldFile());
  expect(again).toEqual({ examples: 0, versions: 0, known: 1, unusable: 0 });
});

test("what is forgotten while an example is added is not stored, and the next example begins anew", async () => {
  const { record, examples } = await withOldRows();
  const example = { id: "b".repeat(32), label: "two", addedAt: 5, embedder: EMBEDDER, vector: Float32Array.of(1, 0) };
  const life = await record.begin();
  await record.forget();
  await expect(examples.add(life, example)).rejects.toMatchObject({ code: "disposed", data: { reason: "forgotten" } });
  expect(await examples.list()).toEqual({ examples: [], damaged: 0 });
  const next = await record.begin();
  await examples.add(next, example);
  await examples.add(next, { ...example, id: "c".repeat(32) });
  await examples.add(next, example);
  expect((await examples.list()).examples.map(({ label }) => label)).toEqual(["two", "two"]);
});
