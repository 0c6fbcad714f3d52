// The database's tables, version by version; a version that was released is never changed, only followed.
import type { DuckDBConnection } from "@duckdb/node-api";

const MIGRATIONS: readonly string[][] = [
  [
    // One row a family of `GET /metrics`.
    `CREATE TABLE metrics (
       family VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, unit VARCHAR NOT NULL,
       description VARCHAR NOT NULL, bounds DOUBLE[] NOT NULL)`,
    // `attributes` is a JSON array of pairs, in the order of the keys.
    "CREATE TABLE series (id INTEGER PRIMARY KEY, family VARCHAR NOT NULL, attributes JSON NOT NULL)",
    "CREATE TABLE totals (id INTEGER PRIMARY KEY, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
    // Start and time are nanoseconds since 1970.
    `CREATE TABLE streams (
       stream VARCHAR PRIMARY KEY, start UBIGINT NOT NULL, time UBIGINT NOT NULL, count BIGINT NOT NULL,
       sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)`,
    // What came, point by point, as differences: the material for questions about time.
    "CREATE TABLE points (id INTEGER NOT NULL, time TIMESTAMP NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
    // `attributes` and `resource` are JSON objects.
    `CREATE TABLE events (
       time TIMESTAMP NOT NULL, name VARCHAR, severity UTINYINT NOT NULL, body VARCHAR, attributes JSON NOT NULL,
       resource JSON NOT NULL)`,
  ],
  [
    // Requests that were counted, by the name that their sender gave them: what is not known to have arrived comes again.
    "CREATE TABLE batches (id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL)",
  ],
];

/** Brings the database to the newest version, a version a transaction. Throws when a newer collector wrote it. */
export async function migrate(connection: DuckDBConnection): Promise<void> {
  await connection.run("CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, applied TIMESTAMP)");
  const reader = await connection.runAndReadAll(
    "SELECT coalesce(max(version), 0)::INTEGER AS version FROM schema_migrations",
  );
  const version = Number(reader.getRowObjectsJS()[0]?.version ?? 0);
  if (version > MIGRATIONS.length)
    throw new Error(
      `it has version ${version}, and this collector knows versions up to ${MIGRATIONS.length}: update insitu-collector`,
    );
  for (const [i, statements] of MIGRATIONS.entries()) {
    if (i < version) continue;
    await connection.run("BEGIN");
    for (const statement of statements) await connection.run(statement);
    await connection.run("INSERT INTO schema_migrations VALUES ($1, now()::TIMESTAMP)", [i + 1]);
    await connection.run("COMMIT");
  }
}
