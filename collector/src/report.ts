// Puts the dashboard's report together: which series the query may see, and what they grew by in its range.
import type { Metric, Series } from "./records.js";
import { accuracy } from "./report-accuracy.js";
import { groupBy, type NamedAttributes, named } from "./report-groups.js";
import { arms, decisions, detections, shadows } from "./report-rollout.js";
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
import { pause } from "./shared-reads.js";
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
  /** Whether a batch is being stored. */
  isWriting?: () => boolean;
}

interface NamedSeries {
  id: number;
  metric: Metric;
  attributes: NamedAttributes;
}

export async function makeReport(query: ReportQuery, deps: ReportDeps): Promise<Report> {
  const all = deps.series.map(({ id, metric, attributes }) => ({ id, metric, attributes: named(attributes) }));
  const cells = await cellsOf(all, deps);
  const isShown = shownBy(cells.shown);
  const wanted: NamedSeries[] = [];
  for (const [i, one] of all.entries()) {
    if (i % SERIES_IN_TURN === 0) await pause(deps.isWriting);
    if (isAsked(one.attributes, query) && isShown(one)) wanted.push(one);
  }
  const of = await seriesIn(query, wanted, deps);
  /** Requests that write have their turn between two sections. */
  const section = async <T>(make: (of: SeriesOf, query: ReportQuery) => T): Promise<T> => {
    await pause(deps.isWriting);
    return make(of, query);
  };
  const { from, to, step } = query;
  const { batches, duplicates, minBatches } = deps;
  return {
    from,
    to,
    step,
    models: modelsOf(cells.shown),
    latency: await section(latency),
    throughput: await section(throughput),
    errors: await section(errors),
    fallbacks: await section(fallbacks),
    restarts: await section(restarts),
    cache: await section(cache),
    loads: await section(loads),
    accuracy: await section(accuracy),
    memory: await section(memory),
    arms: await section(arms),
    decisions: await section(decisions),
    shadows: await section(shadows),
    detections: await section(detections),
    telemetry: { dropped: await section(droppedRecords), batches, duplicates },
    hidden: cells.hidden,
    minBatches,
  };
}

// A millisecond or two: each is compared with the cells that are shown.
const SERIES_IN_TURN = 250;

/** What the given series grew by, by the name of their metric. */
async function seriesIn(span: Span, series: NamedSeries[], { slots }: ReportDeps): Promise<SeriesOf> {
  const ids = series.map(({ id }) => id);
  const slotsById = groupBy(await slots(ids, span), ({ id }) => id);
  const byName = groupBy(series, ({ metric }) => metric.name);
  return (name) =>
    (byName.get(name) ?? [])
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

/** What pages did of a version that they left before it predicted anything: from a closed set, it tells of no person. */
const ALWAYS = new Set(["ml.rollout.decisions"]);
/** A shadow predicts nothing that a page uses, so it has no items: its comparisons stand for them. */
const PREDICTIONS = new Set(["ml.inference.items", "ml.shadow.comparisons"]);

/** A series is shown when it fits a cell that is shown, or belongs to no model. */
function shownBy(cells: NamedAttributes[]): (series: NamedSeries) => boolean {
  const known = new Map<string, boolean>();
  return ({ metric, attributes }) => {
    if (attributes[MODEL] === undefined || ALWAYS.has(metric.name)) return true;
    // Many series have the same four values.
    const values = JSON.stringify(CELL.map((key) => attributes[key]));
    const shown =
      known.get(values) ??
      cells.some((cell) => CELL.every((key) => attributes[key] === undefined || attributes[key] === cell[key]));
    known.set(values, shown);
    return shown;
  };
}

async function cellsOf(all: NamedSeries[], { batchCounts, minBatches }: ReportDeps) {
  const items = all.filter(({ metric }) => PREDICTIONS.has(metric.name));
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
