// The database's tables, version by version; a released version is never changed, only followed by another.
import type { DuckDBConnection } from "@duckdb/node-api";

const MIGRATIONS: readonly string[][] = [
  [
    // One row per metric.
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
    // Every point as a difference, for queries over time.
    "CREATE TABLE points (id INTEGER NOT NULL, time TIMESTAMP NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
    // `attributes` and `resource` are JSON objects.
    `CREATE TABLE events (
       time TIMESTAMP NOT NULL, name VARCHAR, severity UTINYINT NOT NULL, body VARCHAR, attributes JSON NOT NULL,
       resource JSON NOT NULL)`,
  ],
  [
    // The ids of stored requests: a sender that does not know whether a request arrived sends it again.
    "CREATE TABLE batches (id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL)",
  ],
  [
    // Before, metrics were identified by their name in Prometheus. A new id has no space, so it is none of those.
    "ALTER TABLE metrics RENAME COLUMN family TO id",
    "ALTER TABLE series RENAME COLUMN family TO metric",
  ],
  [
    "UPDATE metrics SET id = 'old ' || id",
    "UPDATE series SET metric = 'old ' || metric",
    // A stream has its start in its name: one with a later start is another.
    "UPDATE streams SET stream = stream || '@' || start",
    // How many requests were stored, in one row: compared with the note beside the file.
    "CREATE TABLE progress (id INTEGER PRIMARY KEY, requests BIGINT NOT NULL)",
    "INSERT INTO progress VALUES (1, 0)",
  ],
  [
    // What senders reported about versions, hour by hour. `cell` is a JSON array: model, version, arm, subject, detail, trusted. `part` is the
    // process that writes the row: it writes it again until the hour is over.
    `CREATE TABLE evidence (
       hour TIMESTAMP NOT NULL, part BIGINT NOT NULL, model VARCHAR NOT NULL, subject VARCHAR NOT NULL, cell VARCHAR NOT NULL,
       sums DOUBLE[] NOT NULL)`,
    // Every channel file that was published; the newest of a model is served.
    `CREATE TABLE channels (
       model VARCHAR NOT NULL, time TIMESTAMP NOT NULL, release BIGINT NOT NULL, etag VARCHAR NOT NULL, body VARCHAR NOT NULL,
       who VARCHAR NOT NULL, why VARCHAR NOT NULL)`,
    // What was decided, each time it changed or had much more evidence. `judged` is JSON.
    `CREATE TABLE decisions (
       model VARCHAR NOT NULL, time TIMESTAMP NOT NULL, since TIMESTAMP NOT NULL, control VARCHAR NOT NULL, candidate VARCHAR NOT NULL,
       action VARCHAR NOT NULL, reason VARCHAR NOT NULL, n DOUBLE NOT NULL, judged VARCHAR NOT NULL)`,
    // The reference profiles of packages, for drift. `profile` is JSON.
    `CREATE TABLE reference_profiles (
       model VARCHAR NOT NULL, version VARCHAR NOT NULL, time TIMESTAMP NOT NULL, profile VARCHAR NOT NULL)`,
  ],
  [
    // Retraining: see retrain/run.ts. Times are epoch milliseconds. `evidence` is the JSON of the webhook, byte for byte.
    `CREATE TABLE retrain_runs (
       id VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL, trigger VARCHAR NOT NULL, evidence VARCHAR NOT NULL,
       fired_at BIGINT, state VARCHAR, changed_at BIGINT, next_at BIGINT, tries INTEGER, new_version VARCHAR, detail VARCHAR)`,
    `CREATE TABLE retrain_attempts (
       run VARCHAR NOT NULL, number INTEGER NOT NULL, sent_at BIGINT NOT NULL, result VARCHAR NOT NULL, status INTEGER,
       detail VARCHAR NOT NULL, duration_ms INTEGER NOT NULL)`,
    `CREATE TABLE retrain_models (
       model VARCHAR NOT NULL, version VARCHAR NOT NULL, seen_at BIGINT NOT NULL, cron_at BIGINT NOT NULL,
       disarmed VARCHAR NOT NULL)`,
  ],
  // Version 7: the fine buckets of exponential histograms, and extremes; both are missing where the sender did not tell them.
  ["points", "streams"].flatMap((table) => [
    `ALTER TABLE ${table} ADD COLUMN fine_scale TINYINT`,
    `ALTER TABLE ${table} ADD COLUMN fine_offset INTEGER`,
    `ALTER TABLE ${table} ADD COLUMN fine_buckets BIGINT[]`,
    `ALTER TABLE ${table} ADD COLUMN min_value DOUBLE`,
    `ALTER TABLE ${table} ADD COLUMN max_value DOUBLE`,
  ]),
  [
    // What each sender reported today, by a hash whose key is not in the database; see evidence/sender-rows.ts.
    "CREATE TABLE evidence_senders (day INTEGER NOT NULL, sender VARCHAR NOT NULL, cell VARCHAR NOT NULL, counts DOUBLE[] NOT NULL)",
  ],
];

/** Migrates the database to the newest version, with a transaction per version. Throws when a newer collector wrote it. */
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
