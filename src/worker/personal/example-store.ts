// Stores the examples of one personal model, encrypted.
import type { Change, ExampleRow, ModelRow } from "./database.js";
import { erasedError, type Life, lifeOf } from "./life.js";
import type { ModelRecord } from "./model-record.js";
import {
  type DecryptedExample,
  type DecryptedInput,
  type NewExample,
  RecordCipher,
  toExampleRow,
} from "./record-cipher.js";
import { unit } from "./vector-math.js";

export class ExampleStore {
  readonly #record: ModelRecord;
  readonly #cipher: RecordCipher;
  /** Decrypting thousands of rows takes seconds. */
  readonly #cache = new Map<string, DecryptedExample>();
  #added = 0;

  constructor(record: ModelRecord) {
    this.#record = record;
    this.#cipher = new RecordCipher(record.model, record.name);
    record.onReset(() => this.#cache.clear());
  }

  /** The examples in the order in which they were added. Rows that cannot be decrypted are left out, and counted in `damaged`. */
  async list(): Promise<{ examples: DecryptedExample[]; damaged: number }> {
    const access = await this.#record.open();
    if (!access) return { examples: [], damaged: 0 };
    const { ids, rows } = await this.#record.database.change("read the examples", "read", async (change) => {
      const keys = await change.keys("examples", this.#record.prefix);
      const ids = keys.map((key) => key[2] as string);
      const rows = await Promise.all(ids.filter((id) => !this.#cache.has(id)).map((id) => this.#get(change, id)));
      return { ids, rows: rows.filter((row) => row !== undefined) };
    });
    for (const row of rows) {
      const example = await this.#cipher.decryptExample(access.key, row);
      if (example) this.#cache.set(row.id, example);
    }
    const stored = new Set(ids);
    for (const id of this.#cache.keys()) if (!stored.has(id)) this.#cache.delete(id);
    const examples = [...this.#cache.values()].sort((a, b) => a.addedAt - b.addedAt || a.order - b.order);
    return { examples, damaged: ids.length - examples.length };
  }

  /** Stores an example, unless it is stored already. Rejects with `disposed` when all or a class was removed since `life` was read. */
  async add(life: Life, example: NewExample): Promise<void> {
    const access = await this.#record.access(life);
    const rows = await this.encrypt(access.key, [example]);
    await this.#record.database.change("store an example", "relaxed", async (change) => {
      await this.put(change, rows, this.#record.current(change, access, "classes"));
    });
  }

  encrypt(key: CryptoKey, examples: NewExample[]): Promise<ExampleRow[]> {
    return Promise.all(examples.map((example) => this.#encrypt(key, example)));
  }

  /** Stores those that are new within a change once `allowed` has resolved, and returns how many they were. */
  async put(change: Change, rows: ExampleRow[], allowed?: Promise<unknown>): Promise<number> {
    // Requested together: awaiting each answer by itself takes a third of a millisecond.
    const [, ...known] = await Promise.all([allowed, ...rows.map(({ id }) => this.#get(change, id))]);
    // One that exists comes from a call that was repeated because its worker died before it replied.
    const fresh = rows.filter((_, index) => !known[index]);
    await Promise.all(fresh.map((each) => change.put("examples", each)));
    return fresh.length;
  }

  /** Replaces the embedding of an example whose input was kept. */
  async embedAgain(life: Life, id: string, embedder: string, vector: Float32Array): Promise<void> {
    const access = await this.#record.access(life);
    const example = await this.#record.database.change("read an example", "read", (change) => this.#get(change, id));
    const cipherText = example && (await this.#cipher.replaceEmbedding(access.key, example, unit(vector)));
    if (!example || !cipherText) return;
    await this.#record.database.change("store an embedding", "relaxed", async (change) => {
      await this.#record.current(change, access, "nothing");
      // It may have been removed in the meantime.
      if (!(await this.#get(change, id))) return;
      await change.put("examples", { ...example, embedder, cipherText });
    });
    this.#cache.delete(id);
  }

  /** The input that was kept with an example; undefined where none was. */
  async input(id: string): Promise<DecryptedInput | undefined> {
    const access = await this.#record.open();
    if (!access) return undefined;
    const row = await this.#record.database.change("read an example", "read", (change) => this.#get(change, id));
    return row && (await this.#cipher.decryptInput(access.key, row));
  }

  /** Returns how many of them existed. */
  remove(ids: string[]): Promise<number> {
    return this.#record.database.change("remove examples", "strict", async (change) => {
      const row = await change.get("models", this.#record.prefix);
      return row ? this.#remove(change, row, ids) : 0;
    });
  }

  /** Removes a class. Returns how many examples it had. */
  async removeClass(label: string): Promise<number> {
    const begun = Date.now();
    const life = await this.#record.database.change("remove a class", "strict", async (change) => {
      const row = await change.get("models", this.#record.prefix);
      if (!row) return undefined;
      // First: what is being added now is not stored any more, and cannot be missing in the list.
      const { removals = 0, classRemovals = 0 } = row;
      await change.put("models", { ...row, removals: removals + 1, classRemovals: classRemovals + 1 });
      return lifeOf(row, 0).id;
    });
    const { examples } = await this.list();
    // What was added since began after the removal.
    const ids = examples.filter((example) => example.label === label && example.addedAt <= begun).map(({ id }) => id);
    return this.#record.database.change("remove examples", "strict", async (change) => {
      const row = await change.get("models", this.#record.prefix);
      return row && lifeOf(row, 0).id === life ? this.#remove(change, row, ids) : 0;
    });
  }

  async #remove(change: Change, row: ModelRow, ids: string[]): Promise<number> {
    let removed = 0;
    for (const id of ids) {
      if (!(await this.#get(change, id))) continue;
      await change.delete("examples", [...this.#record.prefix, id]);
      removed += 1;
    }
    const { revision, removals = 0 } = row;
    if (removed > 0) await change.put("models", { ...row, revision: revision + 1, removals: removals + 1 });
    return removed;
  }

  /** Stores which examples are held out, for those that no training has used yet. Throws `disposed` when one of them was removed; to be called before anything is stored. */
  async setRoles(change: Change, heldOut: ReadonlyMap<string, boolean>): Promise<void> {
    const rows = await Promise.all([...heldOut.keys()].map((id) => this.#get(change, id)));
    for (const row of rows) {
      if (!row) throw erasedError(this.#record.name, "removed");
      if (row.heldOut === undefined) await change.put("examples", { ...row, heldOut: heldOut.get(row.id) as boolean });
    }
  }

  /** As `setRoles`, for what was read before; to be called once the change is committed. */
  cacheRoles(heldOut: ReadonlyMap<string, boolean>): void {
    for (const [id, isHeldOut] of heldOut) {
      const example = this.#cache.get(id);
      if (example) example.heldOut ??= isHeldOut;
    }
  }

  async #encrypt(key: CryptoKey, example: NewExample): Promise<ExampleRow> {
    const { id, addedAt, embedder, heldOut, input, vector } = example;
    const { model, name } = this.#record;
    this.#added += 1;
    const order = this.#added;
    const cipherText = await this.#cipher.encryptExample(key, { ...example, vector: unit(vector) });
    const role = heldOut === undefined ? {} : { heldOut };
    return { model, name, id, addedAt, order, embedder, kept: Boolean(input), ...role, cipherText };
  }

  async #get(change: Change, id: string): Promise<ExampleRow | undefined> {
    const row = await change.get("examples", [...this.#record.prefix, id]);
    return row && toExampleRow(row);
  }
}
