// Reads and writes the collector's rows in DuckDB: a change of the ledger in, the whole ledger out.
import type { DuckDBConnection } from "@duckdb/node-api";
import { appendEvents } from "./append-events.js";
import { type Change, emptyLedger, entryKey, type Ledger } from "./ledger.js";
import type { Attributes, Event, Metric } from "./records.js";

/** DuckDB takes any number of rows as one JSON parameter: one statement per table, not one per row. */
function insert(into: string, columns: string, shape: Record<string, unknown>): string {
  const rows = `unnest(from_json($1::JSON, '${JSON.stringify([shape])}'))`;
  return `INSERT ${into} SELECT ${columns} FROM (SELECT ${rows} AS r)`;
}

const AMOUNT = { count: "BIGINT", sum: "DOUBLE", buckets: ["BIGINT"] };
const AMOUNT_COLUMNS = "r.count, r.sum, r.buckets";

const INSERT = {
  metrics: insert("INTO metrics", "r.family, r.name, r.kind, r.unit, r.description, r.bounds", {
    family: "VARCHAR",
    name: "VARCHAR",
    kind: "VARCHAR",
    unit: "VARCHAR",
    description: "VARCHAR",
    bounds: ["DOUBLE"],
  }),
  series: insert("INTO series", "r.id, r.family, r.attributes", {
    id: "INTEGER",
    family: "VARCHAR",
    attributes: "VARCHAR",
  }),
  totals: insert("OR REPLACE INTO totals", `r.id, ${AMOUNT_COLUMNS}`, { id: "INTEGER", ...AMOUNT }),
  streams: insert("OR REPLACE INTO streams", `r.stream, r.start::UBIGINT, r.time::UBIGINT, ${AMOUNT_COLUMNS}`, {
    stream: "VARCHAR",
    start: "VARCHAR",
    time: "VARCHAR",
    ...AMOUNT,
  }),
  points: insert("INTO points", `r.id, epoch_ms(r.time), ${AMOUNT_COLUMNS}`, {
    id: "INTEGER",
    time: "BIGINT",
    ...AMOUNT,
  }),
  batches: insert("INTO batches", "r.id, epoch_ms(r.time)", { id: "VARCHAR", time: "BIGINT" }),
};

/** Writes everything, or throws; the caller opens the transaction. */
export async function writeRows(
  connection: DuckDBConnection,
  change: Change,
  events: readonly Event[],
  batches: readonly string[],
): Promise<void> {
  const run = async (sql: string, rows: readonly object[]) => {
    if (rows.length > 0) await connection.run(sql, [JSON.stringify(rows)]);
  };
  const entries = [...change.entries.values()];
  const added = entries.filter(({ id }) => change.added.has(id));
  await run(
    INSERT.metrics,
    [...change.metrics].map(([family, metric]) => ({ family, ...metric })),
  );
  await run(
    INSERT.series,
    added.map(({ id, family, attributes }) => ({ id, family, attributes: JSON.stringify(attributes) })),
  );
  await run(
    INSERT.totals,
    entries.map(({ id, total }) => ({ id, ...total })),
  );
  await run(
    INSERT.streams,
    [...change.streams.values()].map(({ stream, start, time, amount }) => ({ stream, start, time, ...amount })),
  );
  await run(
    INSERT.points,
    change.points.map(({ id, time, amount }) => ({ id, time, ...amount })),
  );
  await appendEvents(connection, events);
  await run(
    INSERT.batches,
    batches.map((id) => ({ id, time: Date.now() })),
  );
}

/** Which of these ids were written before. */
export async function knownBatches(connection: DuckDBConnection, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const sql = "SELECT id FROM batches WHERE id IN (SELECT unnest(from_json($1::JSON, '[\"VARCHAR\"]')))";
  const reader = await connection.runAndReadAll(sql, [JSON.stringify(ids)]);
  return new Set(reader.getRowObjectsJS().map(({ id }) => String(id)));
}

/** All sums from before this process started. */
export async function readLedger(connection: DuckDBConnection): Promise<Ledger> {
  const ledger = emptyLedger();
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJS();
  for (const row of await rows("SELECT * FROM metrics")) {
    const { family, ...metric } = row as unknown as Metric & { family: string };
    ledger.metrics.set(family, metric);
  }
  for (const row of await rows(
    "SELECT id, family, attributes, count, sum, buckets FROM series JOIN totals USING (id)",
  )) {
    const family = String(row.family);
    const metric = ledger.metrics.get(family);
    if (!metric) throw new Error(`its series ${row.id} has no metric`);
    const attributes = JSON.parse(String(row.attributes)) as Attributes;
    ledger.entries.set(entryKey(metric, attributes), {
      id: Number(row.id),
      family,
      metric,
      attributes,
      total: amountOf(row),
    });
  }
  for (const row of await rows("SELECT * FROM streams")) {
    const stream = String(row.stream);
    ledger.streams.set(stream, { stream, start: String(row.start), time: String(row.time), amount: amountOf(row) });
  }
  return ledger;
}

function amountOf(row: Record<string, unknown>) {
  // DuckDB's 64-bit integers come as bigints; what was written was a safe integer.
  const buckets = (row.buckets as bigint[]).map(Number);
  return { count: Number(row.count), sum: Number(row.sum), buckets };
}
