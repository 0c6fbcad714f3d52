// Writes rows into a table by DuckDB's appender, in chunks that its vectors can hold.
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";

/** DuckDB's vectors have no more rows. */
const MAX_CHUNK_ROWS = 2_048;

/** Writes within the transaction that the caller has opened, or throws. */
export async function appendRows<Row>(
  connection: DuckDBConnection,
  table: string | readonly [name: string, schema: string, catalog: string],
  rows: readonly Row[],
  chunkOf: (rows: readonly Row[]) => DuckDBDataChunk,
): Promise<void> {
  if (rows.length === 0) return;
  const [name, ...where] = typeof table === "string" ? ([table] as const) : table;
  const appender = await connection.createAppender(name, ...where);
  try {
    for (let from = 0; from < rows.length; from += MAX_CHUNK_ROWS)
      appender.appendDataChunk(chunkOf(rows.slice(from, from + MAX_CHUNK_ROWS)));
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
