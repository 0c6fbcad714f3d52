// The row of one personal model, and the key that its examples and versions are encrypted with.
import { InsituError, isInsituError } from "../../shared/errors.js";
import type { Change, Key, ModelRow, PersonalDatabase } from "./database.js";
import type { KeyStore } from "./key-store.js";

/** What reading and writing of encrypted rows needs. */
export interface ModelAccess {
  row: ModelRow;
  key: CryptoKey;
}

export class ModelRecord {
  /** Key of the row, and the prefix of the keys of all rows that belong to it. */
  readonly prefix: Key;
  readonly #keys = new Map<string, CryptoKey>();
  readonly #resets: (() => void)[] = [];
  #currentKeyId: string | undefined;

  constructor(
    readonly database: PersonalDatabase,
    readonly keyStore: KeyStore,
    readonly model: string,
    readonly name: string,
  ) {
    this.prefix = [model, name];
  }

  /** Calls `reset` when everything that was read before belongs to a key that is gone. */
  onReset(reset: () => void): void {
    this.#resets.push(reset);
  }

  /** Undefined when nothing was added yet, or everything was forgotten. */
  state(): Promise<(ModelRow & { examples: number }) | undefined> {
    return this.database.change("look up the personal model", "read", async (change) => {
      const [row, examples] = await Promise.all([
        change.get("models", this.prefix),
        change.count("examples", this.prefix),
      ]);
      return row && { ...row, examples };
    });
  }

  /** Undefined when there is no row, or its key was lost. */
  async open(): Promise<ModelAccess | undefined> {
    const row = await this.database.change("look up the personal model", "read", (change) =>
      change.get("models", this.prefix),
    );
    const key = row && (await this.#keyOf(row));
    return row && key && { row, key };
  }

  /** Creates the row and the key where one is missing. */
  async ensure(): Promise<ModelAccess> {
    const found = await this.database.change("look up the personal model", "read", (change) =>
      change.get("models", this.prefix),
    );
    const known = found && (await this.#keyOf(found));
    if (found && known) return { row: found, key: known };
    const created = await this.keyStore.create();
    const row = await this.#create(created.id, found?.keyId);
    if (row.keyId !== created.id) {
      await this.keyStore.erase(created.id);
      return this.ensure();
    }
    this.#keys.set(created.id, created.key);
    await this.#keyOf(row);
    return { row, key: created.key };
  }

  /** Returns the current row within a change. Throws `disposed` when the model was forgotten since `keyId` was read. */
  async current(change: Change, keyId: string): Promise<ModelRow> {
    const row = await change.get("models", this.prefix);
    if (row?.keyId === keyId) return row;
    const message = `The personal model ${this.name} was forgotten in the meantime, in this tab or another one, so that nothing was stored. Add the examples again.`;
    throw new InsituError("disposed", message, { reason: "forgotten" });
  }

  /** Removes all rows, and destroys the key. */
  async forget(): Promise<void> {
    const row = await this.database.change("forget the personal model", "strict", async (change) => {
      const found = await change.get("models", this.prefix);
      await this.#removeRows(change);
      await change.delete("models", this.prefix);
      return found;
    });
    this.#keys.clear();
    this.#reset();
    if (row) await this.keyStore.erase(row.keyId);
  }

  /** Returns the row that is stored afterwards: another tab's, where that tab was first. */
  #create(keyId: string, lostKeyId: string | undefined): Promise<ModelRow> {
    return this.database.change("create the personal model", "strict", async (change) => {
      const found = await change.get("models", this.prefix);
      if (found && found.keyId !== lostKeyId) return found;
      // Rows that were encrypted with a lost key can never be read.
      if (found) await this.#removeRows(change);
      const row: ModelRow = { model: this.model, name: this.name, keyId, revision: 0, active: 0, nextVersion: 1 };
      await change.put("models", row);
      return row;
    });
  }

  async #keyOf(row: ModelRow): Promise<CryptoKey | undefined> {
    // Another tab may have forgotten everything and begun anew.
    if (this.#currentKeyId !== row.keyId) this.#reset();
    this.#currentKeyId = row.keyId;
    const key = this.#keys.get(row.keyId) ?? (await this.keyStore.open(row.keyId));
    if (key) this.#keys.set(row.keyId, key);
    return key;
  }

  #reset(): void {
    for (const reset of this.#resets) reset();
  }

  async #removeRows(change: Change): Promise<void> {
    for (const table of ["examples", "versions"] as const)
      for (const key of await change.keys(table, this.prefix)) await change.delete(table, key);
  }
}

/** True for the error that {@link ModelRecord.current} throws. */
export function isForgotten(error: unknown): boolean {
  return isInsituError(error) && error.data.reason === "forgotten";
}
