// Stores the examples of one personal model, encrypted.
import type { Change, ExampleRow } from "./database.js";
import { isForgotten, type ModelAccess, type ModelRecord } from "./model-record.js";
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
  #access: ModelAccess | undefined;
  #added = 0;

  constructor(record: ModelRecord) {
    this.#record = record;
    this.#cipher = new RecordCipher(record.model, record.name);
    record.onReset(() => {
      this.#cache.clear();
      this.#access = undefined;
    });
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

  /** Stores all of them or none; an example that is stored already is left as it is. Returns how many were new. */
  async add(examples: NewExample[]): Promise<number> {
    // Looking the key up first would cost as much as the write, which notices a key that is gone.
    if (this.#access) {
      try {
        return await this.#write(this.#access, examples);
      } catch (error) {
        if (!isForgotten(error)) throw error;
      }
    }
    this.#access = await this.#record.ensure();
    return this.#write(this.#access, examples);
  }

  /** Replaces the embedding of an example whose input was kept. */
  async embedAgain(id: string, embedder: string, vector: Float32Array): Promise<void> {
    const { row, key } = await this.#record.ensure();
    const example = await this.#record.database.change("read an example", "read", (change) => this.#get(change, id));
    const cipherText = example && (await this.#cipher.replaceEmbedding(key, example, unit(vector)));
    if (!example || !cipherText) return;
    await this.#record.database.change("store an embedding", "relaxed", async (change) => {
      await this.#record.current(change, row.keyId);
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
      if (!row) return 0;
      let removed = 0;
      for (const id of ids) {
        if (!(await this.#get(change, id))) continue;
        await change.delete("examples", [...this.#record.prefix, id]);
        removed += 1;
      }
      if (removed > 0) await change.put("models", { ...row, revision: row.revision + 1 });
      return removed;
    });
  }

  /** Stores which examples are held out, for those that no training has used yet. */
  async setRoles(change: Change, heldOut: ReadonlyMap<string, boolean>): Promise<void> {
    for (const [id, isHeldOut] of heldOut) {
      const row = await this.#get(change, id);
      if (row && row.heldOut === undefined) await change.put("examples", { ...row, heldOut: isHeldOut });
    }
  }

  /** As `setRoles`, for what was read before; to be called once the change is committed. */
  cacheRoles(heldOut: ReadonlyMap<string, boolean>): void {
    for (const [id, isHeldOut] of heldOut) {
      const example = this.#cache.get(id);
      if (example) example.heldOut ??= isHeldOut;
    }
  }

  async #write({ row, key }: ModelAccess, examples: NewExample[]): Promise<number> {
    const rows = await Promise.all(examples.map((example) => this.#encrypt(key, example)));
    return this.#record.database.change("store an example", "relaxed", async (change) => {
      // Requested together: awaiting each answer by itself takes a third of a millisecond.
      const [, ...known] = await Promise.all([
        this.#record.current(change, row.keyId),
        ...rows.map(({ id }) => this.#get(change, id)),
      ]);
      // One that exists comes from a call that was repeated because its worker died before it replied.
      const fresh = rows.filter((_, index) => !known[index]);
      await Promise.all(fresh.map((each) => change.put("examples", each)));
      return fresh.length;
    });
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
