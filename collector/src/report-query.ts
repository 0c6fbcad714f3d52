// `GET /v1/report`: what the dashboard asks, read from the query and answered from the store.
import { HttpError } from "./body.js";
import { makeReport, type ReportQuery } from "./report.js";
import type { Report } from "./report-types.js";
import type { Store } from "./store.js";

const HOUR_MS = 3_600_000;
const STEPS = 60;
const MIN_STEP_MS = 1_000;
// A plot has no more pixels, and an answer of megabytes helps nobody.
const MAX_STEPS = 1_000;

/** Throws `HttpError` 400 that says what is wrong with the query. `now` in milliseconds since 1970. */
export function readReportQuery(query: Record<string, unknown>, now: number): ReportQuery {
  const to = time(query.to, "to") ?? now;
  const from = time(query.from, "from") ?? to - HOUR_MS;
  if (from >= to) throw new HttpError(400, `"from" (${from}) must be before "to" (${to}).`);
  const step = time(query.step, "step") ?? Math.max(MIN_STEP_MS, Math.ceil((to - from) / STEPS));
  if (step < MIN_STEP_MS || (to - from) / step > MAX_STEPS)
    throw new HttpError(
      400,
      `"step" must be at least ${MIN_STEP_MS} ms, and the span at most ${MAX_STEPS} steps long.`,
    );
  return { from, to, step, ...texts(query) };
}

function texts(query: Record<string, unknown>): Pick<ReportQuery, "model" | "version" | "backend"> {
  const given = (["model", "version", "backend"] as const).filter(
    (key) => query[key] !== undefined && query[key] !== "",
  );
  for (const key of given) if (typeof query[key] !== "string") throw new HttpError(400, `"${key}" may be given once.`);
  return Object.fromEntries(given.map((key) => [key, query[key]]));
}

// The end of what a Date can hold.
const MAX_TIME = 8.64e15;

function time(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(ms <= MAX_TIME)) throw new HttpError(400, `"${name}" must be milliseconds, a whole number.`);
  return ms;
}

export interface ReportContext {
  minBatches: number;
  batches: number;
  duplicates: number;
}

export function report(store: Store, query: ReportQuery, context: ReportContext): Promise<Report> {
  return makeReport(query, { series: store.series(), slots: store.slots, batchCounts: store.batchCounts, ...context });
}
