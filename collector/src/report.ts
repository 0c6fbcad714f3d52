// Puts the dashboard's report together: which series the query may see, and what they grew by in its range.
import type { Metric, Series } from "./records.js";
import { accuracy } from "./report-accuracy.js";
import { groupBy, type NamedAttributes, named } from "./report-groups.js";
import {
  ARM,
  BACKEND,
  cache,
  droppedRecords,
  errors,
  fallbacks,
  latency,
  loads,
  MODEL,
  memory,
  restarts,
  type SeriesOf,
  throughput,
  VERSION,
} from "./report-sections.js";
import type { Report } from "./report-types.js";
import type { Slot, Span } from "./slots.js";

export interface ReportQuery extends Span {
  model?: string;
  version?: string;
  backend?: string;
}

export interface ReportDeps {
  /** All series, each with its id. */
  series: readonly (Series & { id: number })[];
  slots(ids: readonly number[], span: Span): Promise<Slot[]>;
  batchCounts(ids: readonly number[]): Promise<Map<number, number>>;
  /** A cell (model x version x arm x backend) with data of fewer batches is left out: it may be one person. */
  minBatches: number;
  batches: number;
  duplicates: number;
}

interface NamedSeries {
  id: number;
  metric: Metric;
  attributes: NamedAttributes;
}

export async function makeReport(query: ReportQuery, deps: ReportDeps): Promise<Report> {
  const all = deps.series.map(({ id, metric, attributes }) => ({ id, metric, attributes: named(attributes) }));
  const cells = await cellsOf(all, deps);
  const of = await seriesIn(
    query,
    all.filter(({ attributes }) => isAsked(attributes, query) && isShown(attributes, cells.shown)),
    deps,
  );
  const { from, to, step } = query;
  const { batches, duplicates, minBatches } = deps;
  return {
    from,
    to,
    step,
    models: modelsOf(cells.shown),
    latency: latency(of, query),
    throughput: throughput(of, query),
    errors: errors(of, query),
    fallbacks: fallbacks(of),
    restarts: restarts(of),
    cache: cache(of),
    loads: loads(of),
    accuracy: accuracy(of, query),
    memory: memory(of),
    telemetry: { dropped: droppedRecords(of), batches, duplicates },
    hidden: cells.hidden,
    minBatches,
  };
}

/** What the given series grew by, by the name of their metric. */
async function seriesIn(span: Span, series: NamedSeries[], { slots }: ReportDeps): Promise<SeriesOf> {
  const ids = series.map(({ id }) => id);
  const slotsById = groupBy(await slots(ids, span), ({ id }) => id);
  return (name) =>
    series
      .filter(({ metric }) => metric.name === name)
      .map(({ id, metric, attributes }) => ({ attributes, bounds: metric.bounds, slots: slotsById.get(id) ?? [] }))
      .filter(({ slots }) => slots.length > 0);
}

/** A series without one of the attributes is not filtered by it. */
function isAsked(attributes: NamedAttributes, { model, version, backend }: ReportQuery): boolean {
  const matches = (key: string, wanted: string | undefined) =>
    wanted === undefined || attributes[key] === undefined || attributes[key] === wanted;
  return matches(MODEL, model) && matches(VERSION, version) && matches(BACKEND, backend);
}

const CELL = [MODEL, VERSION, ARM, BACKEND];

function isShown(attributes: NamedAttributes, shown: NamedAttributes[]): boolean {
  if (attributes[MODEL] === undefined) return true;
  return shown.some((cell) => CELL.every((key) => attributes[key] === undefined || attributes[key] === cell[key]));
}

async function cellsOf(all: NamedSeries[], { batchCounts, minBatches }: ReportDeps) {
  const items = all.filter(({ metric }) => metric.name === "ml.inference.items");
  const batches = await batchCounts(items.map(({ id }) => id));
  const cells = [...groupBy(items, ({ attributes }) => JSON.stringify(CELL.map((key) => attributes[key]))).values()];
  // Series of a cell differ in their mode; one batch may have a point in each.
  const isLarge = (cell: NamedSeries[]) => Math.max(...cell.map(({ id }) => batches.get(id) ?? 0)) >= minBatches;
  const shown = cells.filter(isLarge).map((cell) => cell[0]?.attributes ?? {});
  return { shown, hidden: cells.length - shown.length };
}

function modelsOf(cells: NamedAttributes[]): Report["models"] {
  const values = (some: NamedAttributes[], key: string) =>
    [...new Set(some.flatMap((attributes) => attributes[key] ?? []))].sort();
  return [...groupBy(cells, (attributes) => attributes[MODEL] ?? "")]
    .map(([name, some]) => ({ name, versions: values(some, VERSION), backends: values(some, BACKEND) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
