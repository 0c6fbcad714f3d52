// Reads all sums from before this process started, and sets aside those of an older collector that contradict the catalogue.
import type { DuckDBConnection } from "@duckdb/node-api";
import { metricKey, storedMetric } from "./catalogue.js";
import { addMetric, emptyLedger, entryKey, type Ledger } from "./ledger.js";
import type { Amount, Attributes, Metric } from "./records.js";

type Row = Record<string, unknown>;

/** `metrics.id` of a metric that an older collector wrote begins with this; the new id is `metricKey`. */
const OLD = "old ";

/** Also writes the ids of metrics that an older collector wrote, once. */
export async function readLedger(connection: DuckDBConnection): Promise<Ledger> {
  const rows = async (sql: string): Promise<Row[]> => (await connection.runAndReadAll(sql)).getRowObjectsJS();
  const ledger = emptyLedger();
  const metrics = new Map<string, Metric>();
  const aside = new Set<string>();
  for (const row of await rows("SELECT * FROM metrics ORDER BY id")) {
    const { id, ...stored } = row as unknown as Metric & { id: string };
    const metric = storedMetric(stored);
    if (!metric || ledger.metrics.has(metricKey(metric))) {
      aside.add(stored.name);
      continue;
    }
    metrics.set(metricKey(metric), metric);
    addMetric(ledger, metric);
    if (id.startsWith(OLD)) await rename(connection, id, metric);
  }
  for (const row of await rows(SERIES)) addSeries(ledger, metrics.get(String(row.metric)), row);
  for (const row of await rows("SELECT * FROM streams")) {
    const stream = String(row.stream);
    ledger.streams.set(stream, { stream, start: String(row.start), time: String(row.time), amount: amountOf(row) });
  }
  const [{ id: highest } = { id: 0 }] = await rows(
    "SELECT greatest((SELECT coalesce(max(id), 0) FROM series), (SELECT coalesce(max(id), 0) FROM points)) AS id",
  );
  ledger.nextId = Number(highest) + 1;
  if (aside.size > 0)
    console.warn(
      `${ledger.aside.length} series of ${[...aside].join(", ")} have a definition that contradicts the catalogue of metrics. ` +
        "They stay in the file and are not served; they are deleted when their points are.",
    );
  return ledger;
}

// A series without points has had none for as long as points are stored.
const SERIES = `
  SELECT s.id, s.metric, s.attributes, t.count, t.sum, t.buckets, coalesce(epoch_ms(p.time), 0)::DOUBLE AS last_at
  FROM series s JOIN totals t USING (id) LEFT JOIN (SELECT id, max(time) AS time FROM points GROUP BY id) p USING (id)
  ORDER BY s.id`;

function addSeries(ledger: Ledger, metric: Metric | undefined, row: Row): void {
  const id = Number(row.id);
  const lastAt = Number(row.last_at);
  if (!metric) {
    ledger.aside.push({ id, lastAt });
    return;
  }
  const attributes = JSON.parse(String(row.attributes)) as Attributes;
  const entry = { id, metricKey: metricKey(metric), metric, attributes, total: amountOf(row), lastAt };
  ledger.entries.set(entryKey(metric, attributes), entry);
}

async function rename(connection: DuckDBConnection, from: string, metric: Metric): Promise<void> {
  const to = metricKey(metric);
  await connection.run("BEGIN");
  await connection.run("UPDATE series SET metric = $1 WHERE metric = $2", [to, from]);
  await connection.run("DELETE FROM metrics WHERE id = $1", [from]);
  const { name, kind, unit, description, bounds } = metric;
  await connection.run("INSERT INTO metrics SELECT $1, $2, $3, $4, $5, from_json($6::JSON, '[\"DOUBLE\"]')", [
    to,
    name,
    kind,
    unit,
    description,
    JSON.stringify(bounds),
  ]);
  await connection.run("COMMIT");
}

function amountOf(row: Row): Amount {
  // DuckDB's 64-bit integers come as bigints; what was written was a safe integer.
  const buckets = (row.buckets as bigint[]).map(Number);
  const { fine_scale: scale, fine_offset: offset, fine_buckets: fine, min_value: min, max_value: max } = row;
  return {
    count: Number(row.count),
    sum: Number(row.sum),
    buckets,
    ...(Array.isArray(fine) && { fine: { scale: Number(scale), offset: Number(offset), buckets: fine.map(Number) } }),
    ...(typeof min === "number" && { min }),
    ...(typeof max === "number" && { max }),
  };
}
