// The chunks of a database: large ones in files beside it where the browser has those, all others in its rows.
import type { Database } from "../../../shared/indexed-db.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { createBytesWriter } from "./blob-or-bytes.js";
import { chunkWriter, openChunkFiles } from "./chunk-files.js";
import type { Written } from "./chunk-writer.js";
import type { ChunkRow, FileRow, PackageSchema } from "./schema.js";
import { readBytes, withSum } from "./stored-bytes.js";

// A file costs some milliseconds whatever its size, a row holds as much as that without one.
const MAX_ROW_BYTES = 65_536;

export class StoredChunks {
  readonly #database: Database<PackageSchema>;
  readonly #files;
  readonly #putBytes = createBytesWriter();
  /** Rows that were read before they are needed. */
  #announced = new Map<string, Promise<ChunkRow | undefined>>();
  /** False once a file could not be written: what comes goes into rows. */
  #writesFiles = true;

  constructor(name: string, database: Database<PackageSchema>) {
    this.#database = database;
    this.#files = openChunkFiles(name);
  }

  async keepsFiles(): Promise<boolean> {
    return this.#writesFiles && (await this.#files.directory()) !== undefined;
  }

  /** Reads the rows of chunks that are needed soon, in one transaction. */
  async announce(hashes: string[]): Promise<void> {
    // Without files, rows hold all the bytes.
    if (!(await this.#files.directory())) return;
    const rows = this.#rows(hashes);
    this.#announced = new Map(hashes.map((hash, index) => [hash, rows.then((all) => all[index])]));
    // Reported where a row is read.
    for (const row of this.#announced.values()) row.catch(() => undefined);
  }

  /** The chunk's bytes, checked; in `spare` where it has their size. */
  async read(chunk: ChunkSpec, spare?: ArrayBuffer): Promise<ArrayBuffer | "missing" | "corrupt"> {
    const { sha256: hash, size } = chunk;
    const announced = this.#announced.get(hash)?.catch(() => undefined);
    this.#announced.delete(hash);
    return this.#database.step("read a chunk", async (connection) => {
      const row =
        (await announced) ?? (await connection.transaction(["chunks"], "read", (tx) => tx.get("chunks", hash)));
      if (!row) return "missing";
      const isFile = (row as Partial<FileRow>).file !== undefined;
      // Not lost: the next visit may have files again.
      if (isFile && !(await this.#files.directory())) return "missing";
      const found = await readBytes(row, chunk, (name) => this.#files.read(name, size, spare));
      if (found === "corrupt") {
        await connection.transaction(["chunks"], "relaxed", (tx) => tx.delete("chunks", hash));
        if (isFile) void this.sweep();
      }
      return found;
    });
  }

  async put(chunk: ChunkSpec, bytes: Blob | ArrayBuffer, sum?: string): Promise<void> {
    this.#announced.delete(chunk.sha256);
    const isLarge = chunk.size > MAX_ROW_BYTES;
    if (isLarge && (await this.#database.step("store a chunk", () => this.#putFile(chunk, bytes, sum)))) return;
    const put = (stored: Blob | ArrayBuffer) => this.#putRow(chunk.sha256, withSum(stored, sum));
    if (isLarge) await this.#putBytes(new Blob([bytes]), put);
    else await put(await bufferOf(bytes));
  }

  /** Removes the files that no row has. Never rejects: what is left is removed by the next call. */
  async sweep(): Promise<void> {
    const directory = await this.#files.directory();
    if (!directory) return;
    const findUnused = async (names: string[]) => {
      const rows = await this.#rows(names.map((name) => name.split("-")[0] as string));
      return names.filter((name, index) => (rows[index] as Partial<FileRow> | undefined)?.file !== name);
    };
    await chunkWriter()
      .then(({ removeUnused }) => removeUnused(directory, findUnused))
      .catch(() => undefined);
  }

  /** False where it cannot be a file. */
  async #putFile({ sha256: hash }: ChunkSpec, bytes: Blob | ArrayBuffer, sum?: string): Promise<boolean> {
    const directory = this.#writesFiles && (await this.#files.directory());
    if (!directory) return false;
    let written: Written;
    try {
      const { writeFile } = await chunkWriter();
      const writing = writeFile(directory, hash, await bufferOf(bytes));
      written = await this.#files.answered(writing).catch((error: unknown) => {
        void writing.then((late) => late.discard()).catch(() => undefined);
        throw error;
      });
    } catch (error) {
      // Rows have no room either.
      if (error instanceof Error && error.name === "QuotaExceededError") throw error;
      this.#writesFiles = false;
      return false;
    }
    try {
      await this.#putRow(hash, { file: written.name, xxh64: sum });
    } catch (error) {
      await written.discard();
      throw error;
    }
    written.close();
    return true;
  }

  async #putRow(hash: string, row: ChunkRow): Promise<void> {
    await this.#database.transaction("store a chunk", ["chunks"], "relaxed", async (tx) => {
      await tx.put("chunks", row, hash);
    });
  }

  #rows(hashes: string[]): Promise<(ChunkRow | undefined)[]> {
    return this.#database.transaction("look up chunks", ["chunks"], "read", (tx) =>
      Promise.all(hashes.map((hash) => tx.get("chunks", hash))),
    );
  }
}

const bufferOf = async (bytes: Blob | ArrayBuffer): Promise<ArrayBuffer> =>
  bytes instanceof Blob ? bytes.arrayBuffer() : bytes;
