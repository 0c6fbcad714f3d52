// Databases as older versions of the collector wrote them.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** The tables of version 2, which version 0.1.0 of the collector had, and of 4, the last one without fine buckets. */
function tablesOf(version: 2 | 4): string[] {
  const [id, metric] = version === 2 ? ["family", "family"] : ["id", "metric"];
  return [
    "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied TIMESTAMP)",
    `INSERT INTO schema_migrations SELECT unnest(range(1, ${version + 1})), now()::TIMESTAMP`,
    `CREATE TABLE metrics (${id} VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, unit VARCHAR NOT NULL,
      description VARCHAR NOT NULL, bounds DOUBLE[] NOT NULL)`,
    `CREATE TABLE series (id INTEGER PRIMARY KEY, ${metric} VARCHAR NOT NULL, attributes JSON NOT NULL)`,
    "CREATE TABLE totals (id INTEGER PRIMARY KEY, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
    `CREATE TABLE streams (stream VARCHAR PRIMARY KEY, start UBIGINT NOT NULL, time UBIGINT NOT NULL, count BIGINT NOT NULL,
      sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)`,
    "CREATE TABLE points (id INTEGER NOT NULL, time TIMESTAMP NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
    `CREATE TABLE events (time TIMESTAMP NOT NULL, name VARCHAR, severity UTINYINT NOT NULL, body VARCHAR, attributes JSON NOT NULL,
      resource JSON NOT NULL)`,
    "CREATE TABLE batches (id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL)",
    ...(version === 4
      ? [
          "CREATE TABLE progress (id INTEGER PRIMARY KEY, requests BIGINT NOT NULL)",
          "INSERT INTO progress VALUES (1, 3)",
        ]
      : []),
  ];
}

export async function writeOldDatabase(
  path: string,
  version: 2 | 4,
  fill: (connection: DuckDBConnection) => Promise<void>,
): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  for (const statement of tablesOf(version)) await connection.run(statement);
  await fill(connection);
  connection.closeSync();
  instance.closeSync();
}
