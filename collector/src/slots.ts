// Queries what was received in a range of time, series by series and step by step.
import type { DuckDBConnection } from "@duckdb/node-api";

export interface Span {
  /** Epoch milliseconds; `to` is exclusive. */
  from: number;
  to: number;
  /** Milliseconds. */
  step: number;
}

/** What a series grew by in one step. */
export interface Slot {
  id: number;
  /** Index of the step, from 0. */
  slot: number;
  count: number;
  sum: number;
  buckets: number[];
}

/** DuckDB has no sum of lists: they are unnested, summed by index, and collected again. */
const SLOTS = `
  WITH within AS (
    SELECT id, ((epoch_ms(time) - $from::BIGINT) // $step::BIGINT)::INTEGER AS slot, count, sum, buckets
    FROM points
    WHERE time >= epoch_ms($from::BIGINT) AND time < epoch_ms($to::BIGINT) AND list_contains(from_json($ids::JSON, '["INTEGER"]'), id)
  ),
  places AS (
    SELECT id, slot, place, sum(value) AS value
    FROM (SELECT id, slot, unnest(buckets) AS value, generate_subscripts(buckets, 1) AS place FROM within)
    GROUP BY ALL
  ),
  lists AS (SELECT id, slot, list(value::DOUBLE ORDER BY place) AS buckets FROM places GROUP BY ALL)
  SELECT w.id, w.slot, sum(w.count)::DOUBLE AS count, sum(w.sum) AS sum, any_value(l.buckets) AS buckets
  FROM within w LEFT JOIN lists l USING (id, slot)
  GROUP BY ALL
  ORDER BY w.id, w.slot`;

export async function readSlots(connection: DuckDBConnection, ids: readonly number[], span: Span): Promise<Slot[]> {
  if (ids.length === 0) return [];
  const { from, to, step } = span;
  const values = { from: BigInt(from), to: BigInt(to), step: BigInt(step), ids: JSON.stringify(ids) };
  const found: Slot[] = [];
  // Some 2,000 rows at a time: a report of a month may have hundreds of thousands, and requests that write must get their turn.
  for await (const rows of (await connection.run(SLOTS, values)).yieldRowObjectJs())
    for (const row of rows)
      found.push({
        id: Number(row.id),
        slot: Number(row.slot),
        count: Number(row.count),
        sum: Number(row.sum),
        buckets: ((row.buckets as number[] | null) ?? []).map(Number),
      });
  return found;
}

/** How many batches hold data of each series: each has one point. */
export async function readBatchCounts(
  connection: DuckDBConnection,
  ids: readonly number[],
): Promise<Map<number, number>> {
  if (ids.length === 0) return new Map();
  const sql = `SELECT id, count(*)::INTEGER AS batches FROM points
    WHERE list_contains(from_json($1::JSON, '["INTEGER"]'), id) GROUP BY id`;
  const reader = await connection.runAndReadAll(sql, [JSON.stringify(ids)]);
  return new Map(reader.getRowObjectsJS().map(({ id, batches }) => [Number(id), Number(batches)]));
}
