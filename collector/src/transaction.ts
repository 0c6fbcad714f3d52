// Runs work in a transaction of a DuckDB connection.
import type { DuckDBConnection } from "@duckdb/node-api";

/** Resolves once it is committed; rolls back and rejects when it fails. */
export async function transaction<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
  await connection.run("BEGIN");
  try {
    const result = await work();
    await connection.run("COMMIT");
    return result;
  } catch (error) {
    // A failed COMMIT has rolled back already, and then there is nothing to roll back.
    await connection.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
