// Keeps packages in IndexedDB: chunks by their hash, and one row per version, committed last and completely or not at all.
import { createDatabase, type Database, type Mode } from "../../../shared/indexed-db.js";
import { createSerialQueue } from "../../../shared/serial-queue.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { once } from "../../lib/once.js";
import { type ReleaseFloor, soundFloor } from "../trust.js";
import { createBytesWriter } from "./blob-or-bytes.js";
import { type ChannelRow, changeRow, type KeptChannel } from "./channel-rows.js";
import { loadChecksum, xxh64 } from "./checksum.js";
import { type ChunkFiles, openChunkFiles } from "./chunk-files.js";
import { bytesOf } from "./eviction.js";
import { openNote, type SealedNote, sealNote } from "./note-format.js";
import type { PackageWriter } from "./package-writer.js";
import { packageRows, removeRows, type Tx } from "./rows.js";
import { type NoteRow, type PackageSchema, SCHEMA_VERSION, STORES, type StoreName, upgradeSchema } from "./schema.js";
import type { NewRow, OnStoreEvent, PackageRow, Store, StoredNote } from "./store.js";
import { lostFile, readBytes, withSum } from "./stored-bytes.js";
import { StoredChunks } from "./stored-chunks.js";
import { writerCode } from "./writer-code.js";

export interface StoreOptions {
  /** Name of the database. */
  name: string;
  /** Budget of all packages together, in bytes. */
  maxBytes: number;
  /** Whether WebAssembly may be started for a fast checksum; otherwise what is read is checked by its SHA-256. */
  fastChecksum: boolean;
  /** True when packages were kept here before: an empty database then means that the browser lost it. */
  expected: boolean;
}

const OPEN_MS = 5_000;
// A chunk of 64 MiB takes seconds on a slow phone; what takes longer than this will not come.
const STEP_MS = 30_000;

export function openIndexedDbStore(options: StoreOptions, emit: OnStoreEvent): Store {
  return new IndexedDbStore(options, emit);
}

class IndexedDbStore implements Store {
  readonly #emit: OnStoreEvent;
  readonly #database: Database<PackageSchema>;
  readonly #files: ChunkFiles;
  readonly #chunks: StoredChunks;
  readonly #inOrder = createSerialQueue();
  readonly #putBytes = createBytesWriter();
  /** Loads what stores packages. */
  readonly #writer: () => Promise<PackageWriter>;
  /** Rows that were read before they are needed, by digest and kind. Each is used once: other tabs may change it. */
  #notes = new Map<string, NoteRow>();
  /** True while an empty database would mean a loss. */
  #keeps: boolean;

  constructor({ name, maxBytes, expected, fastChecksum }: StoreOptions, emit: OnStoreEvent) {
    if (fastChecksum) void loadChecksum();
    this.#emit = emit;
    this.#keeps = expected;
    this.#database = createDatabase({
      name,
      version: SCHEMA_VERSION,
      upgrade: (db, before) => {
        upgradeSchema(db, before);
        if (before === 0) this.#onCreated();
      },
      openMs: OPEN_MS,
      stepMs: STEP_MS,
      quotaAdvice: "Delete or unpin packages, or free space on the device.",
    });
    const files = openChunkFiles(name);
    this.#files = files;
    this.#chunks = new StoredChunks(this.#database, files, () => this.#sweep());
    this.#writer = once(async () => {
      const { createPackageWriter } = await writerCode();
      return createPackageWriter({
        database: this.#database,
        files,
        putBytes: this.#putBytes,
        maxBytes,
        onEvicted: (rows) => this.#reportEvicted(rows),
      });
    });
  }

  // ---- packages --------------------------------------------------------------------------------------------------

  async versions(url: string): Promise<PackageRow[]> {
    const range = IDBKeyRange.bound([url], [url, []]);
    const hasFiles = await this.#files.directory();
    return this.#database.transaction("look up a package", ["packages", "chunks", "notes"], "read", async (tx) => {
      const rows = await packageRows(tx, range);
      // Of a release that was published twice, the one that came last.
      rows.sort((a, b) => b.release - a.release || b.usedAt - a.usedAt);
      const [newest] = rows;
      // It is loaded next: a transaction for each of its small rows would take longer than reading 4 MB.
      if (newest && hasFiles) {
        const { digest, chunks } = newest;
        const notes = tx.getAll("notes", IDBKeyRange.bound([digest], [digest, []]));
        this.#chunks.expect(
          await Promise.all(chunks.map(async ({ sha256 }) => [sha256, await tx.get("chunks", sha256)] as const)),
        );
        this.#notes = new Map((await notes).map((note) => [digest + note.kind, note]));
      }
      return rows;
    });
  }

  floor(url: string): Promise<ReleaseFloor | undefined> {
    return this.#read("look up a release", "releases", async (tx) => soundFloor(await tx.get("releases", url)));
  }

  async begin(row: NewRow): Promise<void> {
    await (await this.#writer()).begin(row);
  }

  async commit(row: NewRow): Promise<void> {
    await (await this.#writer()).commit(row);
    this.#keeps = true;
  }

  async proved(url: string, digest: string): Promise<void> {
    const isDue = await this.#write("note a use", "relaxed", async (tx) => {
      const rows = await packageRows(tx);
      const mine = rows.find((row) => row.url === url && row.digest === digest);
      if (!mine) return false;
      const before = rows.filter((row) => row.url === url && row !== mine && row.release <= mine.release);
      // A tab may end between this and the sweep: the visit after looks once more.
      const swept = before.length === 0 && mine.proved;
      if (!swept) await removeRows(tx, before);
      await tx.put("packages", { ...mine, proved: true, swept, usedAt: Date.now() });
      return !swept || !mine.swept;
    });
    if (isDue) await this.#sweep();
  }

  async abandon(url: string): Promise<void> {
    await this.#write("give up a download", "relaxed", async (tx) => {
      await tx.delete("pending", url);
      await removeRows(tx, []);
    });
    await this.#sweep();
  }

  list(): Promise<PackageRow[]> {
    return this.#read("list packages", "packages", packageRows);
  }

  async bytes(): Promise<number> {
    return bytesOf(await this.list());
  }

  async delete(url: string): Promise<boolean> {
    const wasThere = await this.#write("delete a package", "strict", async (tx) => {
      const rows = (await packageRows(tx)).filter((row) => row.url === url);
      await tx.delete("pending", url);
      await removeRows(tx, rows);
      return rows.length > 0;
    });
    await this.#sweep();
    return wasThere;
  }

  async clear(): Promise<void> {
    await this.#write("clear the store", "strict", async (tx) => {
      for (const store of STORES) if (store !== "releases") await tx.clear(store);
    });
    this.#keeps = false;
    await this.#sweep();
  }

  pin(url: string, pinned: boolean): Promise<boolean> {
    return this.#write("pin a package", "strict", async (tx) => {
      const rows = (await packageRows(tx)).filter((row) => row.url === url);
      for (const row of rows) await tx.put("packages", { ...row, pinned });
      return rows.length > 0;
    });
  }

  changeChannel(
    url: string,
    change: (row: ChannelRow) => ChannelRow,
    accepted?: Omit<ReleaseFloor, "url">,
  ): Promise<KeptChannel> {
    return this.#database.transaction("keep a channel", ["channels", "releases"], "relaxed", async (tx) => {
      const floor = accepted && soundFloor(await tx.get("releases", url));
      const isOld = accepted && floor && floor.release > accepted.release;
      if (accepted && !isOld) await tx.put("releases", { url, ...accepted });
      const rows = { get: (key: string) => tx.get("channels", key), put: (row: ChannelRow) => tx.put("channels", row) };
      return changeRow(rows, url, isOld ? (row) => row : change);
    });
  }

  // ---- chunks, binaries, notes -----------------------------------------------------------------------------------

  has(hashes: string[]): Promise<Set<string>> {
    return this.#read("look up chunks", "chunks", async (tx) => {
      const found = await Promise.all(hashes.map((hash) => tx.getKey("chunks", hash)));
      return new Set(found.filter((hash) => hash !== undefined));
    });
  }

  async keepsFiles(): Promise<boolean> {
    return (await this.#writer()).writesFiles();
  }

  read(chunk: ChunkSpec, spare?: ArrayBuffer): Promise<ArrayBuffer | "missing" | "corrupt"> {
    return this.#chunks.read(chunk, spare);
  }

  async put(url: string, chunk: ChunkSpec, bytes: Blob | ArrayBuffer, xxh64?: string): Promise<void> {
    // What was read before may be stored anew.
    this.#chunks.expect([]);
    await (await this.#writer()).put(url, chunk, bytes, xxh64);
  }

  readBinary(binary: ChunkSpec): Promise<ArrayBuffer | undefined> {
    return this.#database.step("read a binary", async (connection) => {
      const row = await connection.transaction(["binaries"], "read", (tx) => tx.get("binaries", binary.sha256));
      const found = row && (await readBytes(row, binary));
      return typeof found === "string" ? undefined : found;
    });
  }

  putBinary(binary: ChunkSpec, bytes: ArrayBuffer): Promise<void> {
    const sum = xxh64(bytes);
    return this.#putBytes(new Blob([bytes]), (stored) =>
      this.#write("store a binary", "relaxed", async (tx) => {
        await tx.put("binaries", withSum(stored, sum), binary.sha256);
      }),
    );
  }

  readNote(digest: string, kind: string): Promise<StoredNote | undefined> {
    const known = this.#notes.get(digest + kind);
    this.#notes.delete(digest + kind);
    return this.#database.step("read a note", async (connection) => {
      const row = known ?? (await connection.transaction(["notes"], "read", (tx) => tx.get("notes", [digest, kind])));
      const { bytes, sha256: expected } = row ?? {};
      if (!bytes || !expected) return undefined;
      const found = await openNote({ bytes, sha256: expected }).catch((error: unknown) => lostFile(error, undefined));
      if (found) return found;
      await connection.transaction(["notes"], "relaxed", (tx) => tx.delete("notes", [digest, kind]));
      return { corrupt: expected };
    });
  }

  writeNote(digest: string, kind: string, value: unknown): Promise<void> {
    this.#notes.delete(digest + kind);
    // One after the other: hashing a large note takes longer than a small one that follows.
    return this.#inOrder(async () => {
      // Before the transaction, which would end while the bytes are hashed.
      const sealed = value === undefined ? undefined : await sealNote(value);
      const write = (row?: SealedNote) =>
        this.#database.transaction("write a note", ["notes"], "relaxed", async (tx) => {
          if (row) await tx.put("notes", { digest, kind, ...row, at: Date.now() });
          else await tx.delete("notes", [digest, kind]);
          // The page may crash before the browser would commit by itself.
          tx.commit();
        });
      if (sealed?.bytes instanceof Blob) await this.#putBytes(sealed.bytes, (bytes) => write({ ...sealed, bytes }));
      else await write(sealed);
    });
  }

  close(): void {
    this.#database.close();
  }

  // ---- steps -----------------------------------------------------------------------------------------------------

  #read<T>(what: string, store: StoreName, run: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#database.transaction(what, [store], "read", run);
  }

  #write<T>(what: string, durability: Exclude<Mode, "read">, run: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#database.transaction(what, STORES, durability, run);
  }

  /** Removes files that no row has any more. What is left, also where the code cannot be had, is removed by the next call. */
  async #sweep(): Promise<void> {
    await this.#writer()
      .then(({ sweep }) => sweep())
      .catch(() => undefined);
  }

  #reportEvicted(rows: PackageRow[]): void {
    for (const { url, digest, bytes } of rows) this.#emit({ type: "evicted", url, digest, bytes });
  }

  #onCreated(): void {
    if (this.#keeps) this.#emit({ type: "reset" });
    this.#keeps = false;
  }
}
