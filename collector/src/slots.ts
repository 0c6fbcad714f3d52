// Queries what was received in a range of time, series by series and step by step.
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Fine } from "./records.js";

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
  /** The fine buckets of those of its points that have some, one for each scale. */
  fine: Fine[];
  /** The extremes that senders told; null when none did. */
  min: number | null;
  max: number | null;
  /** Whether all of its points told them: else others may lie further out, within their buckets. */
  allToldMin: boolean;
  allToldMax: boolean;
}

/** DuckDB has no sum of lists: they are unnested, summed by index, and collected again. */
const SLOTS = `
  WITH within AS (
    SELECT id, ((epoch_ms(time) - $from::BIGINT) // $step::BIGINT)::INTEGER AS slot, count, sum, buckets, min_value, max_value, fine_scale,
      fine_offset, fine_buckets
    FROM points
    WHERE time >= epoch_ms($from::BIGINT) AND time < epoch_ms($to::BIGINT) AND list_contains(from_json($ids::JSON, '["INTEGER"]'), id)
  ),
  places AS (
    SELECT id, slot, place, sum(value) AS value
    FROM (SELECT id, slot, unnest(buckets) AS value, generate_subscripts(buckets, 1) AS place FROM within)
    GROUP BY ALL
  ),
  lists AS (SELECT id, slot, list(value::DOUBLE ORDER BY place) AS buckets FROM places GROUP BY ALL),
  fine_places AS (
    SELECT id, slot, fine_scale AS scale, place, sum(value)::DOUBLE AS value
    FROM (
      SELECT id, slot, fine_scale, unnest(fine_buckets) AS value, fine_offset + generate_subscripts(fine_buckets, 1) - 1 AS place
      FROM within WHERE fine_scale IS NOT NULL)
    GROUP BY ALL
  ),
  fine_lists AS (
    SELECT id, slot, list({scale: scale, place: place::INTEGER, value: value} ORDER BY scale, place) AS fine
    FROM fine_places WHERE value > 0 GROUP BY id, slot
  ),
  sums AS (
    SELECT id, slot, sum(count)::DOUBLE AS count, sum(sum) AS sum, min(min_value) AS min, max(max_value) AS max,
      count(min_value) = count(*) AS all_told_min, count(max_value) = count(*) AS all_told_max
    FROM within GROUP BY id, slot
  )
  SELECT s.*, l.buckets, f.fine
  FROM sums s LEFT JOIN lists l USING (id, slot) LEFT JOIN fine_lists f USING (id, slot)
  ORDER BY s.id, s.slot`;

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
        fine: fineOfRow((row.fine as Place[] | null) ?? []),
        min: row.min as number | null,
        max: row.max as number | null,
        allToldMin: row.all_told_min === true,
        allToldMax: row.all_told_max === true,
      });
  return found;
}

interface Place {
  scale: number;
  place: number;
  value: number;
}

/** The rows come in the order of scales and places. */
function fineOfRow(places: readonly Place[]): Fine[] {
  const byScale = new Map<number, { scale: number; offset: number; buckets: number[] }>();
  for (const { scale, place, value } of places) {
    const fine = byScale.get(scale) ?? { scale, offset: place, buckets: [] };
    byScale.set(scale, fine);
    while (fine.buckets.length < place - fine.offset) fine.buckets.push(0);
    fine.buckets.push(value);
  }
  return [...byScale.values()];
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
