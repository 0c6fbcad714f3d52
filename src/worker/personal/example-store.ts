// One personal model as it is kept: examples and versions in rows that only its key opens.
import { InsituError, isInsituError } from "../../shared/errors.js";
import type { Change, ExampleRow, Key, ModelRow, PersonalDatabase, VersionRow } from "./database.js";
import type { KeyStore } from "./key-store.js";
import {
  createRecordCipher,
  type DecryptedModel,
  type NewExample,
  type NewVersion,
  type OpenedInput,
  type StoredVersion,
} from "./record-cipher.js";
import { unit } from "./vector-math.js";

/** What to write with. */
interface Begun {
  row: ModelRow;
  key: CryptoKey;
}

export interface ExampleStore {
  /** Undefined when nothing was taught yet, or all was forgotten. */
  state(): Promise<(ModelRow & { examples: number }) | undefined>;
  /** In the order of teaching. What cannot be read is left out, and counted in `damaged`. */
  examples(): Promise<{ examples: DecryptedModel[]; damaged: number }>;
  /** Keeps all of them or none; one that is there already is left as it is. Answers how many were new. */
  add(examples: NewExample[]): Promise<number>;
  /** Another embedding for an example that was kept with its input. */
  embedAgain(id: string, embedder: string, vector: Float32Array): Promise<void>;
  input(id: string): Promise<OpenedInput | undefined>;
  remove(ids: string[]): Promise<number>;
  versions(): Promise<StoredVersion[]>;
  version(number: number): Promise<StoredVersion | undefined>;
  /**
   * Keeps a new version with the roles that its examples got, and takes it into use if it says so; all or nothing, and durably. Answers its number.
   */
  commit(made: NewVersion, heldOut: ReadonlyMap<string, boolean>): Promise<number>;
  /** Rejects with `input_invalid` when there is no such version. */
  use(version: number): Promise<void>;
  /** Removes every row, and destroys the key. */
  forget(): Promise<void>;
}

/** Versions that are kept; older ones go, but for the one in use. */
const MOST_VERSIONS = 20;

export function openExampleStore(
  records: PersonalDatabase,
  vault: KeyStore,
  model: string,
  name: string,
): ExampleStore {
  const mine: Key = [model, name];
  const sealing = createRecordCipher(model, name);
  const keys = new Map<string, CryptoKey>();
  const cache = new Map<string, DecryptedModel>();
  const heads = new Map<number, StoredVersion>();
  let cachedKey: string | undefined;
  let places = 0;
  let begun: Begun | undefined;

  const read = () => records.change("look up what was learned", "read", (change) => change.get("models", mine));

  const keyOf = async (row: ModelRow): Promise<CryptoKey | undefined> => {
    if (cachedKey !== row.keyId) {
      // Another tab forgot all, and began anew.
      cache.clear();
      heads.clear();
      cachedKey = row.keyId;
    }
    const known = keys.get(row.keyId) ?? (await vault.open(row.keyId));
    if (known) keys.set(row.keyId, known);
    return known;
  };

  /** Makes both where there are none. */
  const ensure = async (): Promise<Begun> => {
    const row = await read();
    const key = row && (await keyOf(row));
    if (row && key) {
      begun = { row, key };
      return begun;
    }
    const made = await vault.create();
    const mineNow = await records.change("begin to learn", "strict", async (change) => {
      const now = await change.get("models", mine);
      // Another tab was first.
      if (now && now.keyId !== row?.keyId) return now;
      // What the lost key has sealed is of no use to anybody.
      if (now) await removeRows(change, mine);
      const fresh = { model, name, keyId: made.id, revision: 0, active: 0, nextVersion: 1 };
      await change.put("models", fresh);
      return fresh;
    });
    if (mineNow.keyId === made.id) {
      keys.set(made.id, made.key);
      await keyOf(mineNow);
      return { row: mineNow, key: made.key };
    }
    await vault.erase(made.id);
    return ensure();
  };

  /** The row as it is now, if it still has this key; else what is to be written was sealed for nobody. */
  const current = async (change: Change, keyId: string): Promise<ModelRow> => {
    const row = await change.get("models", mine);
    if (row?.keyId === keyId) return row;
    const message = `${name} was forgotten meanwhile, in this tab or another; nothing was kept. Teach it again.`;
    throw new InsituError("disposed", message, { reason: "forgotten" });
  };

  const write = async ({ row, key }: Begun, examples: NewExample[]): Promise<number> => {
    const boxes = await Promise.all(
      examples.map((example) => sealing.example(key, { ...example, vector: unit(example.vector) })),
    );
    const rows = examples.map((example, index): ExampleRow => {
      const { id, time, embedder, heldOut, input } = example;
      const role = heldOut === undefined ? {} : { heldOut };
      places += 1;
      const box = boxes[index] as ArrayBuffer;
      return { model, name, id, time, place: places, embedder, kept: Boolean(input), ...role, box };
    });
    return records.change("keep an example", "relaxed", async (change) => {
      // Asked for at once: each answer that is waited for alone is a third of a millisecond.
      const [, ...known] = await Promise.all([
        current(change, row.keyId),
        ...rows.map(({ id }) => change.get("examples", [...mine, id])),
      ]);
      // One that is there comes from a call that was repeated, since its worker died before it answered.
      const fresh = rows.filter((_, index) => !known[index]);
      await Promise.all(fresh.map((each) => change.put("examples", each)));
      return fresh.length;
    });
  };

  const opened = async (key: CryptoKey, row: VersionRow): Promise<StoredVersion | undefined> => {
    const found = heads.get(row.version) ?? (await sealing.openVersion(key, row));
    if (found) heads.set(row.version, found);
    return found;
  };

  return {
    state: () =>
      records.change("look up what was learned", "read", async (change) => {
        const [row, examples] = await Promise.all([change.get("models", mine), change.count("examples", mine)]);
        return row && { ...row, examples };
      }),
    async examples() {
      const row = await read();
      const key = row && (await keyOf(row));
      if (!row || !key) return { examples: [], damaged: 0 };
      const rows = await records.change("read the examples", "read", async (change) => {
        const ids = (await change.keys("examples", mine)).map((found) => found[2] as string);
        const missing = ids.filter((id) => !cache.has(id));
        const fresh = await Promise.all(missing.map((id) => change.get("examples", [...mine, id])));
        return { ids, fresh: fresh.filter((found) => found !== undefined) };
      });
      for (const found of rows.fresh) {
        const example = await sealing.openExample(key, found);
        if (example) cache.set(found.id, example);
      }
      const there = new Set(rows.ids);
      for (const id of cache.keys()) if (!there.has(id)) cache.delete(id);
      const examples = [...cache.values()].sort((a, b) => a.time - b.time || a.place - b.place);
      return { examples, damaged: rows.ids.length - examples.length };
    },
    async add(examples) {
      // Not looked up first, which costs as much as the writing: the write itself sees whether the key still holds.
      const known = begun;
      if (!known) return write(await ensure(), examples);
      try {
        return await write(known, examples);
      } catch (error) {
        if (!isForgotten(error)) throw error;
        return write(await ensure(), examples);
      }
    },
    async embedAgain(id, embedder, vector) {
      const { row, key } = await ensure();
      const before = await records.change("read an example", "read", (change) => change.get("examples", [...mine, id]));
      const box = before && (await sealing.embedded(key, before, unit(vector)));
      if (!before || !box) return;
      await records.change("keep an embedding", "relaxed", async (change) => {
        await current(change, row.keyId);
        // Removed meanwhile.
        if (!(await change.get("examples", [...mine, id]))) return;
        await change.put("examples", { ...before, embedder, box });
      });
      cache.delete(id);
    },
    async input(id) {
      const row = await read();
      const key = row && (await keyOf(row));
      if (!key) return undefined;
      const example = await records.change("read an example", "read", (change) =>
        change.get("examples", [...mine, id]),
      );
      return example && (await sealing.openInput(key, example));
    },
    remove: (ids) =>
      records.change("remove examples", "strict", async (change) => {
        const row = await change.get("models", mine);
        if (!row) return 0;
        let removed = 0;
        for (const id of ids) {
          if (!(await change.get("examples", [...mine, id]))) continue;
          await change.delete("examples", [...mine, id]);
          removed += 1;
        }
        if (removed > 0) await change.put("models", { ...row, revision: row.revision + 1 });
        return removed;
      }),
    async versions() {
      const row = await read();
      const key = row && (await keyOf(row));
      if (!key) return [];
      const rows = await records.change("read the versions", "read", (change) => change.all("versions", mine));
      const found = await Promise.all(rows.map((version) => opened(key, version)));
      return found.filter((version) => version !== undefined);
    },
    async version(number) {
      const row = await read();
      const key = row && (await keyOf(row));
      if (!key) return undefined;
      const known = heads.get(number);
      if (known) return known;
      const found = await records.change("read a version", "read", (change) =>
        change.get("versions", [...mine, number]),
      );
      return found && (await opened(key, found));
    },
    async commit(made, heldOut) {
      for (;;) {
        const { row, key } = await ensure();
        const version = row.nextVersion;
        const box = await sealing.version(key, version, made);
        const isMine = await records.change("keep a version", "strict", async (change) => {
          const now = await current(change, row.keyId);
          // Another tab's training took the number.
          if (now.nextVersion !== version) return false;
          await change.put("versions", { model, name, version, embedder: made.embedder, box });
          for (const [id, isOut] of heldOut) {
            const example = await change.get("examples", [...mine, id]);
            if (example && example.heldOut === undefined) await change.put("examples", { ...example, heldOut: isOut });
          }
          const active = made.facts.activated ? version : now.active;
          await change.put("models", { ...now, revision: now.revision + 1, nextVersion: version + 1, active });
          const numbers = (await change.keys("versions", mine))
            .map((found) => found[2] as number)
            .sort((a, b) => a - b);
          for (const old of numbers.slice(0, -MOST_VERSIONS))
            if (old !== active) await change.delete("versions", [...mine, old]);
          return true;
        });
        if (!isMine) continue;
        for (const [id, isOut] of heldOut) {
          const example = cache.get(id);
          if (example) example.heldOut ??= isOut;
        }
        return version;
      }
    },
    use: (version) =>
      records.change("use a version", "strict", async (change) => {
        const row = await change.get("models", mine);
        if (!row || !(await change.get("versions", [...mine, version]))) {
          const message = `${name} has no version ${version}; versions() lists those there are.`;
          throw new InsituError("input_invalid", message, { version });
        }
        await change.put("models", { ...row, revision: row.revision + 1, active: version });
      }),
    async forget() {
      const row = await records.change("forget what was learned", "strict", async (change) => {
        const now = await change.get("models", mine);
        await removeRows(change, mine);
        await change.delete("models", mine);
        return now;
      });
      cache.clear();
      heads.clear();
      keys.clear();
      begun = undefined;
      if (row) await vault.erase(row.keyId);
    },
  };
}

function isForgotten(error: unknown): boolean {
  return isInsituError(error) && error.data.reason === "forgotten";
}

async function removeRows(change: Change, start: Key): Promise<void> {
  for (const place of ["examples", "versions"] as const)
    for (const key of await change.keys(place, start)) await change.delete(place, key);
}
