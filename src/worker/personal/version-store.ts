// Stores the versions of one personal model, encrypted, and which of them is in use.
import { InsituError } from "../../shared/errors.js";
import type { Change, ModelRow, VersionRow } from "./database.js";
import type { ExampleStore } from "./example-store.js";
import { type Life, lifeOf } from "./life.js";
import type { ModelRecord } from "./model-record.js";
import { type NewVersion, RecordCipher, type StoredVersion, toVersionRow } from "./record-cipher.js";

/** Versions that are stored; older ones are removed, except for the one in use. */
const MAX_VERSIONS = 20;

export class VersionStore {
  readonly #record: ModelRecord;
  readonly #examples: ExampleStore;
  readonly #cipher: RecordCipher;
  readonly #cache = new Map<number, StoredVersion>();

  constructor(record: ModelRecord, examples: ExampleStore) {
    this.#record = record;
    this.#examples = examples;
    this.#cipher = new RecordCipher(record.model, record.name);
    record.onReset(() => this.#cache.clear());
  }

  /** The oldest first. Rows that cannot be decrypted are left out. */
  async list(): Promise<StoredVersion[]> {
    const access = await this.#record.open();
    if (!access) return [];
    const rows = await this.#record.database.change("read the versions", "read", (change) =>
      change.all("versions", this.#record.prefix),
    );
    const versions = await Promise.all(rows.map((row) => this.#decrypt(access.key, row)));
    return versions.filter((version) => version !== undefined);
  }

  async get(version: number): Promise<StoredVersion | undefined> {
    const access = await this.#record.open();
    if (!access) return undefined;
    const known = this.#cache.get(version);
    if (known) return known;
    const row = await this.#record.database.change("read a version", "read", (change) =>
      change.get("versions", [...this.#record.prefix, version]),
    );
    return row && (await this.#decrypt(access.key, row));
  }

  /**
   * Stores a new version together with the roles of its examples, and uses it if it says so: all or nothing, and durably. Returns its
   * number. Rejects with `disposed` when all or one of the examples was removed since `life` was read.
   */
  async commit(life: Life, version: NewVersion, heldOut: ReadonlyMap<string, boolean>): Promise<number> {
    const access = await this.#record.access(life);
    for (;;) {
      const number = (await this.#record.state())?.nextVersion ?? 1;
      const rows = await this.encrypt(access.key, number, [version]);
      const isCommitted = await this.#record.database.change("store a version", "strict", async (change) => {
        const current = await this.#record.current(change, access, "nothing");
        // Another tab's training took the number.
        if (current.nextVersion !== number) return false;
        await this.#examples.setRoles(change, heldOut);
        await this.put(change, current, rows, version.facts.activated ? number : current.active);
        return true;
      });
      if (!isCommitted) continue;
      this.#examples.cacheRoles(heldOut);
      return number;
    }
  }

  /** Numbers them from `first` on. */
  encrypt(key: CryptoKey, first: number, versions: NewVersion[]): Promise<VersionRow[]> {
    const { model, name } = this.#record;
    return Promise.all(
      versions.map(async (version, index) => {
        const number = first + index;
        const cipherText = await this.#cipher.encryptVersion(key, number, version);
        return { model, name, version: number, embedder: version.embedder, cipherText };
      }),
    );
  }

  /** Stores new versions within a change, and removes old ones. */
  async put(change: Change, row: ModelRow, versions: VersionRow[], active: number): Promise<void> {
    for (const version of versions) await change.put("versions", version);
    const { revision, nextVersion } = row;
    const next = nextVersion + versions.length;
    await change.put("models", { ...row, revision: revision + 1, nextVersion: next, active });
    const keys = await change.keys("versions", this.#record.prefix);
    const numbers = keys.map((key) => key[2] as number).sort((a, b) => a - b);
    for (const old of numbers.slice(0, -MAX_VERSIONS))
      if (old !== active) await change.delete("versions", [...this.#record.prefix, old]);
  }

  /** Rejects with `input_invalid` when there is no such version any more. */
  use(life: Life, version: number): Promise<void> {
    return this.#record.database.change("use a version", "strict", async (change) => {
      const row = await change.get("models", this.#record.prefix);
      const isAlive = row && lifeOf(row, 0).id === life.id;
      if (!isAlive || !(await change.get("versions", [...this.#record.prefix, version]))) {
        const message = `The personal model ${this.#record.name} has no version ${version}; versions() returns those that exist.`;
        throw new InsituError("input_invalid", message, { version });
      }
      await change.put("models", { ...row, revision: row.revision + 1, active: version });
    });
  }

  async #decrypt(key: CryptoKey, stored: VersionRow): Promise<StoredVersion | undefined> {
    const version = this.#cache.get(stored.version) ?? (await this.#cipher.decryptVersion(key, toVersionRow(stored)));
    if (version) this.#cache.set(stored.version, version);
    return version;
  }
}
