// The row of one personal model, and the key that its examples and versions are encrypted with.
import { randomHex } from "../../shared/hex.js";
import type { Change, Key, ModelRow, PersonalDatabase } from "./database.js";
import type { KeyStore } from "./key-store.js";
import { assertNothingErased, type ErasureScope, erasedError, type Life, lifeOf } from "./life.js";

/** What reading of encrypted rows needs. */
export interface ModelAccess {
  row: ModelRow;
  key: CryptoKey;
}

/** What a write needs from its begin to its commit. */
export interface WriteAccess {
  life: Life;
  keyId: string;
  key: CryptoKey;
}

export class ModelRecord {
  /** Key of the row, and the prefix of the keys of all rows that belong to it. */
  readonly prefix: Key;
  readonly #keys = new Map<string, CryptoKey>();
  readonly #resets: (() => void)[] = [];
  #currentKeyId: string | undefined;
  /** Many first examples at once share one key. */
  #creating: { life: string; isUsed: Promise<boolean> } | undefined;
  /** Counts what this worker forgot: a write may begin before it has read the row. */
  #forgets = 0;

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
    const row = await this.#read();
    if (!row) this.#reset();
    const key = row && (await this.#keyOf(row.keyId));
    return row && key && { row, key };
  }

  /** To be called at the begin of a write, before it waits for anything: creates the row, so that an erase from now on is noticed. */
  begin(): Promise<Life> {
    const forgets = this.#forgets;
    return this.database.change("look up the personal model", "relaxed", async (change) => {
      this.#assertNotForgotten(forgets);
      const found = await change.get("models", this.prefix);
      if (found) return lifeOf(found, forgets);
      const { model, name } = this;
      const row: ModelRow = { model, name, life: randomHex(), keyId: "", revision: 0, active: 0, nextVersion: 1 };
      await change.put("models", row);
      return lifeOf(row, forgets);
    });
  }

  /** As `begin` for what writes nothing where nothing is stored: undefined then. */
  async peek(): Promise<Life | undefined> {
    const forgets = this.#forgets;
    const row = await this.#read();
    // It may have been forgotten between the call and this reading.
    if (!row) this.#assertNotForgotten(forgets);
    return row && lifeOf(row, forgets);
  }

  /** The key to write with; creates one where it is missing. Rejects as `current`. */
  async access(life: Life): Promise<WriteAccess> {
    // As a rule it is known, and the commit notices when it is gone.
    let { keyId } = life;
    for (;;) {
      const key = await this.#keyOf(keyId);
      if (key) return { life, keyId, key };
      if (this.#creating?.life !== life.id) {
        const isUsed = this.#createKey(life, keyId);
        const creating = { life: life.id, isUsed };
        this.#creating = creating;
        const end = () => {
          if (this.#creating === creating) this.#creating = undefined;
        };
        isUsed.then(end, end);
      }
      await this.#creating?.isUsed;
      const row = await this.database.change("look up the personal model", "read", (change) =>
        this.#alive(change, life),
      );
      ({ keyId } = row);
    }
  }

  /**
   * Returns the current row within a change. Throws `disposed` when something that the write depends on was erased since it began: all, or
   * what `scope` says.
   */
  async current(change: Change, { life, keyId }: WriteAccess, scope: ErasureScope): Promise<ModelRow> {
    const row = await this.#alive(change, life);
    // Rows that were encrypted with a lost key could not be read.
    if (row.keyId !== keyId) throw erasedError(this.name, "forgotten");
    assertNothingErased(this.name, row, life, scope);
    return row;
  }

  /** Throws `disposed` once this worker has forgotten the model: what runs need not go on. */
  assertAlive({ forgets }: Life): void {
    this.#assertNotForgotten(forgets);
  }

  /** Removes all rows, and destroys the key. */
  async forget(): Promise<void> {
    this.#forgets += 1;
    const row = await this.database.change("forget the personal model", "strict", async (change) => {
      const found = await change.get("models", this.prefix);
      await this.#removeRows(change);
      await change.delete("models", this.prefix);
      return found;
    });
    this.#keys.clear();
    this.#reset();
    if (row?.keyId) await this.keyStore.erase(row.keyId);
  }

  #read(): Promise<ModelRow | undefined> {
    return this.database.change("look up the personal model", "read", (change) => change.get("models", this.prefix));
  }

  async #alive(change: Change, life: Life): Promise<ModelRow> {
    this.#assertNotForgotten(life.forgets);
    const row = await change.get("models", this.prefix);
    if (row && lifeOf(row, 0).id === life.id) return row;
    throw erasedError(this.name, "forgotten");
  }

  #assertNotForgotten(forgets: number): void {
    if (forgets !== this.#forgets) throw erasedError(this.name, "forgotten");
  }

  /** False when another tab replaced the key `lostKeyId` meanwhile. */
  async #createKey(life: Life, lostKeyId: string): Promise<boolean> {
    const created = await this.keyStore.create();
    let isUsed = false;
    try {
      isUsed = await this.#useKey(life, created.id, lostKeyId);
    } finally {
      if (isUsed) this.#keys.set(created.id, created.key);
      else await this.keyStore.erase(created.id);
    }
    return isUsed;
  }

  #useKey(life: Life, keyId: string, lostKeyId: string): Promise<boolean> {
    return this.database.change("create the personal model", "strict", async (change) => {
      const row = await this.#alive(change, life);
      if (row.keyId !== lostKeyId) return false;
      // Rows that were encrypted with a lost key can never be read.
      await this.#removeRows(change);
      const { model, name, removals, classRemovals } = row;
      const counts = { ...(removals && { removals }), ...(classRemovals && { classRemovals }) };
      await change.put("models", {
        model,
        name,
        life: life.id,
        ...counts,
        keyId,
        revision: 0,
        active: 0,
        nextVersion: 1,
      });
      return true;
    });
  }

  async #keyOf(keyId: string): Promise<CryptoKey | undefined> {
    if (keyId === "") return undefined;
    // Another tab may have forgotten everything and begun anew.
    if (this.#currentKeyId !== keyId) this.#reset();
    this.#currentKeyId = keyId;
    const key = this.#keys.get(keyId) ?? (await this.keyStore.open(keyId));
    if (key) this.#keys.set(keyId, key);
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
