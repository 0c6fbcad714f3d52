// Writes the evidence about versions into DuckDB, and reads it back as sums over spans of time.
import type { DuckDBConnection } from "@duckdb/node-api";
import type { EvidenceRow } from "./evidence.js";
import { type Cell, cellKey, type SubjectName } from "./subjects.js";

const SHAPE = JSON.stringify([
  { hour: "BIGINT", model: "VARCHAR", subject: "VARCHAR", cell: "VARCHAR", sums: ["DOUBLE"] },
]);
const ROWS = `(SELECT unnest(from_json($rows::JSON, '${SHAPE}')) AS r)`;

/** Replaces the rows that this process wrote of the same hours and cells; the caller opens the transaction. */
export async function writeEvidence(
  connection: DuckDBConnection,
  part: number,
  rows: readonly EvidenceRow[],
): Promise<void> {
  const all = rows.map(({ cell, hour, sums }) => {
    const { model, subject } = cell;
    return { hour, model, subject, cell: cellKey(cell), sums };
  });
  const values = { rows: JSON.stringify(all), part: BigInt(part) };
  await connection.run(
    `DELETE FROM evidence USING ${ROWS} AS fresh
     WHERE evidence.part = $part::BIGINT AND evidence.hour = epoch_ms(r.hour) AND evidence.cell = r.cell`,
    values,
  );
  await connection.run(
    `INSERT INTO evidence SELECT epoch_ms(r.hour), $part::BIGINT, r.model, r.subject, r.cell, r.sums FROM ${ROWS}`,
    values,
  );
}

export interface EvidenceQuery {
  /** Of all models when it is missing. */
  model?: string;
  subjects: readonly SubjectName[];
  /** Epoch milliseconds; `to` is exclusive. Hours count as a whole. */
  from: number;
  to: number;
  /** Milliseconds: the sums are made by steps from `origin` on, which is `from` if it is missing. */
  step: number;
  origin?: number;
}

/** The sums of a cell in one step. */
export interface EvidenceSums {
  cell: Cell;
  /** Index of the step, from 0. */
  slot: number;
  sums: number[];
}

/** DuckDB has no sum of lists: they are unnested, summed by index, and collected again. */
const SUMS = `
  WITH within AS (
    SELECT cell, ((epoch_ms(hour) - $origin::BIGINT) // $step::BIGINT)::INTEGER AS slot, sums
    FROM evidence
    WHERE hour >= epoch_ms($from::BIGINT) AND hour < epoch_ms($to::BIGINT) AND ($model = '' OR model = $model)
      AND list_contains(from_json($subjects::JSON, '["VARCHAR"]'), subject)
  ),
  places AS (
    SELECT cell, slot, place, sum(value) AS value
    FROM (SELECT cell, slot, unnest(sums) AS value, generate_subscripts(sums, 1) AS place FROM within)
    GROUP BY ALL
  )
  SELECT cell, slot, list(value ORDER BY place) AS sums FROM places GROUP BY ALL ORDER BY cell, slot`;

export async function readEvidence(connection: DuckDBConnection, query: EvidenceQuery): Promise<EvidenceSums[]> {
  const { model = "", subjects, from, to, step, origin = from } = query;
  const values = {
    model,
    subjects: JSON.stringify(subjects),
    from: BigInt(Math.trunc(from)),
    to: BigInt(Math.trunc(to)),
    step: BigInt(step),
    origin: BigInt(Math.trunc(origin)),
  };
  const found: EvidenceSums[] = [];
  for await (const rows of (await connection.run(SUMS, values)).yieldRowObjectJs())
    for (const row of rows)
      found.push({ cell: cellOf(String(row.cell)), slot: Number(row.slot), sums: (row.sums as number[]).map(Number) });
  return found;
}

/** A cell that somebody reported about, while it is stored. */
export interface SeenCell {
  cell: Cell;
  /** Epoch milliseconds of the first and the last hour. */
  first: number;
  last: number;
  /** Senders and days, since two days before the last hour. */
  recent: number;
}

const RECENT_MS = 2 * 24 * 3_600_000;

export async function readCells(connection: DuckDBConnection, model = ""): Promise<SeenCell[]> {
  const reader = await connection.runAndReadAll(
    `WITH mine AS (SELECT cell, epoch_ms(hour) AS hour, sums[1] AS clusters FROM evidence WHERE $model = '' OR model = $model),
       newest AS (SELECT max(hour) AS hour FROM mine)
     SELECT cell, min(mine.hour)::DOUBLE AS first, max(mine.hour)::DOUBLE AS last,
       sum(CASE WHEN mine.hour > newest.hour - ${RECENT_MS} THEN clusters ELSE 0 END) AS recent
     FROM mine, newest GROUP BY cell ORDER BY cell`,
    { model },
  );
  return reader.getRowObjectsJS().map((row) => ({
    cell: cellOf(String(row.cell)),
    first: Number(row.first),
    last: Number(row.last),
    recent: Number(row.recent),
  }));
}

function cellOf(key: string): Cell {
  const [model, version, arm, subject, detail, trusted] = JSON.parse(key) as [
    string,
    string,
    string,
    SubjectName,
    string,
    boolean,
  ];
  return { model, version, arm, subject, detail, trusted };
}
