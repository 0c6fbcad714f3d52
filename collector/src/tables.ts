// Writes the collector's rows into DuckDB: a change of the ledger, and what goes with time.
import type { DuckDBConnection } from "@duckdb/node-api";
import { appendEvents } from "./append-events.js";
import { appendPoints } from "./append-points.js";
import type { Change } from "./ledger.js";
import type { Amount, Event } from "./records.js";

/** DuckDB takes any number of rows as one JSON parameter: one statement per table, not one per row. */
function insert(into: string, columns: string, shape: Record<string, unknown>): string {
  const rows = `unnest(from_json($1::JSON, '${JSON.stringify([shape])}'))`;
  return `INSERT ${into} SELECT ${columns} FROM (SELECT ${rows} AS r)`;
}

const AMOUNT = { count: "BIGINT", sum: "DOUBLE", buckets: ["BIGINT"] };
const AMOUNT_COLUMNS = "r.count, r.sum, r.buckets";
/** Columns that a point may lack. */
const DETAIL = {
  fine_scale: "TINYINT",
  fine_offset: "INTEGER",
  fine_buckets: ["BIGINT"],
  min_value: "DOUBLE",
  max_value: "DOUBLE",
};
const DETAIL_NAMES = Object.keys(DETAIL).join(", ");
const DETAIL_COLUMNS = Object.keys(DETAIL)
  .map((name) => `r.${name}`)
  .join(", ");

const INSERT = {
  metrics: insert("INTO metrics", "r.id, r.name, r.kind, r.unit, r.description, r.bounds", {
    id: "VARCHAR",
    name: "VARCHAR",
    kind: "VARCHAR",
    unit: "VARCHAR",
    description: "VARCHAR",
    bounds: ["DOUBLE"],
  }),
  series: insert("INTO series", "r.id, r.metric, r.attributes", {
    id: "INTEGER",
    metric: "VARCHAR",
    attributes: "VARCHAR",
  }),
  totals: insert("OR REPLACE INTO totals", `r.id, ${AMOUNT_COLUMNS}`, { id: "INTEGER", ...AMOUNT }),
  streams: insert(
    `OR REPLACE INTO streams (stream, start, time, count, sum, buckets, ${DETAIL_NAMES})`,
    `r.stream, r.start::UBIGINT, r.time::UBIGINT, ${AMOUNT_COLUMNS}, ${DETAIL_COLUMNS}`,
    { stream: "VARCHAR", start: "VARCHAR", time: "VARCHAR", ...AMOUNT, ...DETAIL },
  ),
  batches: insert("INTO batches", "r.id, epoch_ms(r.time)", { id: "VARCHAR", time: "BIGINT" }),
};

/** An amount as columns. */
function columnsOf({ count, sum, buckets, fine, min, max }: Amount): object {
  return {
    count,
    sum,
    buckets,
    min_value: min,
    max_value: max,
    ...(fine && { fine_scale: fine.scale, fine_offset: fine.offset, fine_buckets: fine.buckets }),
  };
}

export interface Rows {
  change: Change;
  events: readonly Event[];
  /** The ids of the requests that have one. */
  batches: readonly string[];
  /** How many requests were stored since the database was created, these included. */
  requests: number;
}

/** Writes everything, or throws; the caller opens the transaction. */
export async function writeRows(
  connection: DuckDBConnection,
  { change, events, batches, requests }: Rows,
): Promise<void> {
  const run = async (sql: string, rows: readonly object[]) => {
    if (rows.length > 0) await connection.run(sql, [JSON.stringify(rows)]);
  };
  const entries = [...change.entries.values()];
  const added = entries.filter(({ id }) => change.added.has(id));
  await run(
    INSERT.metrics,
    [...change.metrics].map(([id, metric]) => ({ id, ...metric })),
  );
  await run(
    INSERT.series,
    added.map(({ id, metricKey: metric, attributes }) => ({ id, metric, attributes: JSON.stringify(attributes) })),
  );
  await run(
    INSERT.totals,
    entries.map(({ id, total: { count, sum, buckets } }) => ({ id, count, sum, buckets })),
  );
  await run(
    INSERT.streams,
    [...change.streams.values()].map(({ stream, start, time, amount }) => ({
      stream,
      start,
      time,
      ...columnsOf(amount),
    })),
  );
  await appendPoints(connection, change.points);
  await appendEvents(connection, events);
  await run(
    INSERT.batches,
    batches.map((id) => ({ id, time: Date.now() })),
  );
  await connection.run("UPDATE progress SET requests = $1", [BigInt(requests)]);
}

/** Which of these ids were written before. */
export async function knownBatches(connection: DuckDBConnection, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const sql = "SELECT id FROM batches WHERE id IN (SELECT unnest(from_json($1::JSON, '[\"VARCHAR\"]')))";
  const reader = await connection.runAndReadAll(sql, [JSON.stringify(ids)]);
  return new Set(reader.getRowObjectsJS().map(({ id }) => String(id)));
}

/** Deletes what is from before `before` (epoch milliseconds) and has a time; the caller opens the transaction. */
export async function deleteOld(connection: DuckDBConnection, before: number): Promise<void> {
  const time = BigInt(before);
  for (const table of ["points", "events", "batches"])
    await connection.run(`DELETE FROM ${table} WHERE time < epoch_ms($1::BIGINT)`, [time]);
  await connection.run("DELETE FROM evidence WHERE hour < epoch_ms($1::BIGINT)", [time]);
  await connection.run("DELETE FROM streams WHERE time < $1::UBIGINT", [time * 1_000_000n]);
}

/** Deletes series with their sums, and the metrics that have no series then. */
export async function deleteSeries(connection: DuckDBConnection, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  for (const table of ["series", "totals"])
    await connection.run(`DELETE FROM ${table} WHERE id IN (SELECT unnest(from_json($1::JSON, '["INTEGER"]')))`, [
      JSON.stringify(ids),
    ]);
  await connection.run("DELETE FROM metrics WHERE id NOT IN (SELECT metric FROM series)");
}
