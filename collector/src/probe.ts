// Writes to the database as a request would, to see whether it can be written.
import type { DuckDBConnection } from "@duckdb/node-api";

// A full disk often still has room for a row: this is as much as a large request needs.
const BYTES = 64 * 1024;

/** Rejects when the disk is full, or the database takes nothing for another reason. */
export async function probeWrite(connection: DuckDBConnection): Promise<void> {
  // Another one each time: DuckDB writes nothing when the row stays as it is.
  const filler = String(Date.now()).padEnd(BYTES);
  await connection.run("CREATE TABLE IF NOT EXISTS write_probe (id INTEGER PRIMARY KEY, filler VARCHAR NOT NULL)");
  await connection.run("INSERT OR REPLACE INTO write_probe VALUES (1, $1)", [filler]);
}
