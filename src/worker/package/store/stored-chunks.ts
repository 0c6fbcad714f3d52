// The chunks of a database: large ones in files beside it where the browser has those, all others in its rows.
import type { Database } from "../../../shared/indexed-db.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import type { ChunkFiles } from "./chunk-files.js";
import type { ChunkRow, FileRow, PackageSchema } from "./schema.js";
import { readBytes } from "./stored-bytes.js";

export class StoredChunks {
  readonly #database: Database<PackageSchema>;
  readonly #files: ChunkFiles;
  readonly #sweep: () => Promise<void>;
  /** Rows that were read before they are needed. */
  #expected = new Map<string, ChunkRow | undefined>();

  constructor(database: Database<PackageSchema>, files: ChunkFiles, sweep: () => Promise<void>) {
    this.#database = database;
    this.#files = files;
    this.#sweep = sweep;
  }

  /** Takes the rows of chunks that are read next. */
  expect(rows: (readonly [hash: string, row: ChunkRow | undefined])[]): void {
    this.#expected = new Map(rows);
  }

  /** The chunk's bytes, checked; in `spare` where it has their size. */
  async read(chunk: ChunkSpec, spare?: ArrayBuffer): Promise<ArrayBuffer | "missing" | "corrupt"> {
    const { sha256: hash, size } = chunk;
    const expected = this.#expected.get(hash);
    // It may have been stored anew.
    this.#expected.delete(hash);
    return this.#database.step("read a chunk", async (connection) => {
      const row = expected ?? (await connection.transaction(["chunks"], "read", (tx) => tx.get("chunks", hash)));
      if (!row) return "missing";
      const found = await readBytes(row, chunk, (name) => this.#files.read(name, size, spare));
      if (found !== "corrupt") return found;
      const { file } = row as Partial<FileRow>;
      // Not lost: the next visit may have files again.
      if (file !== undefined && !(await this.#files.directory())) return "missing";
      await connection.transaction(["chunks"], "relaxed", async (tx) => {
        // Another tab may have stored it anew since the row was read.
        const now = (await tx.get("chunks", hash)) as Partial<FileRow> | undefined;
        if (now?.file === file) await tx.delete("chunks", hash);
      });
      void this.#sweep();
      return found;
    });
  }
}
