// Adds points to one sum per series, in memory, in two steps: what a batch would change, then the change itself.
import { MAX_SERIES, MAX_STREAMS } from "./limits.js";
import { familyName, labelsOf } from "./names.js";
import type { Amount, Attributes, Cumulative, Metric, Point, Rejected, Series } from "./records.js";

export interface Entry extends Series {
  id: number;
  family: string;
}

/** The last point of a cumulative stream, to take the next one's difference from. */
export interface LastPoint extends Cumulative {
  amount: Amount;
}

/** What was stored so far; keys are the Prometheus family, family and labels, and the stream. */
export interface Ledger {
  metrics: Map<string, Metric>;
  entries: Map<string, Entry>;
  streams: Map<string, LastPoint>;
}

/** What a batch would change. `apply` is called once the change is in the database. */
export interface Change extends Ledger {
  /** Ids of entries that were not known before. */
  added: Set<number>;
  /** The points, series by series, for queries over time. */
  points: { id: number; time: number; amount: Amount }[];
}

const OVERFLOW: Attributes = [["otel.metric.overflow", "true"]];

export function emptyLedger(): Ledger {
  return { metrics: new Map(), entries: new Map(), streams: new Map() };
}

export function emptyChange(): Change {
  return { ...emptyLedger(), added: new Set(), points: [] };
}

export function entryKey(metric: Metric, attributes: Attributes): string {
  return `${familyName(metric)}${JSON.stringify(labelsOf(attributes))}`;
}

/** Adds points to a change of the ledger; returns what cannot be added, with the reason. */
export function addPoints(ledger: Ledger, change: Change, points: readonly Point[]): Rejected[] {
  const rejected: Rejected[] = [];
  for (const point of points) {
    const reason = addPoint(ledger, change, point);
    if (reason) rejected.push({ count: 1, reason });
  }
  return rejected;
}

export function apply(ledger: Ledger, change: Change): void {
  for (const [key, metric] of change.metrics) ledger.metrics.set(key, metric);
  for (const [key, entry] of change.entries) ledger.entries.set(key, entry);
  for (const [key, last] of change.streams) ledger.streams.set(key, last);
}

function addPoint(ledger: Ledger, change: Change, point: Point): string | null {
  const { metric, cumulative } = point;
  const family = familyName(metric);
  const known = change.metrics.get(family) ?? ledger.metrics.get(family);
  if (known && known.kind !== metric.kind) return `${metric.name} is known as a ${known.kind}, not a ${metric.kind}`;
  if (known && !same(known.bounds, metric.bounds))
    return `${metric.name} has other explicitBounds than those it was first seen with: ${known.bounds.join(", ")}`;

  let amount: Amount | null = point.amount;
  if (cumulative) {
    const last = change.streams.get(cumulative.stream) ?? ledger.streams.get(cumulative.stream);
    if (!last && ledger.streams.size + change.streams.size >= MAX_STREAMS)
      return `${MAX_STREAMS} cumulative streams are known already; send delta temporality`;
    amount = difference(last, cumulative, point.amount);
    // Seen before, or older than one that includes it: nothing is lost.
    if (!amount) return null;
  }

  const place = findEntry(ledger, change, point, family, known !== undefined);
  if (!place) return `${MAX_SERIES} series are known already, and ${metric.name} is not among them`;
  const total = add(place.entry.total, amount);
  if (!Number.isFinite(total.sum) || !Number.isSafeInteger(total.count))
    return `${metric.name}: the amount is too large to be added`;

  const { entry, key } = place;
  if (!known) change.metrics.set(family, metric);
  if (!ledger.entries.has(key)) change.added.add(entry.id);
  change.entries.set(key, { ...entry, total });
  change.points.push({ id: entry.id, time: point.time, amount });
  if (cumulative) change.streams.set(cumulative.stream, { ...cumulative, amount: point.amount });
  return null;
}

/** The series of a point; when there are too many of them, its metric's overflow series. */
function findEntry(
  ledger: Ledger,
  change: Change,
  { metric, attributes }: Point,
  family: string,
  metricKnown: boolean,
) {
  const find = (wanted: Attributes) => {
    const key = entryKey(metric, wanted);
    const entry = change.entries.get(key) ?? ledger.entries.get(key);
    return { key, entry, wanted };
  };
  let found = find(attributes);
  const size = ledger.entries.size + change.added.size;
  if (!found.entry && size >= MAX_SERIES) {
    // A metric that is not known yet gets none: invented names would create as many overflow series.
    if (!metricKnown) return null;
    found = find(OVERFLOW);
  }
  const { key, wanted } = found;
  const entry = found.entry ?? { id: size + 1, family, metric, attributes: wanted, total: zero(metric) };
  return { key, entry };
}

/** What a cumulative point adds to the last: null when nothing, everything after the sender has restarted. */
function difference(last: LastPoint | undefined, { start, time }: Cumulative, amount: Amount): Amount | null {
  if (!last || BigInt(start) > BigInt(last.start)) return amount;
  if (BigInt(start) < BigInt(last.start) || BigInt(time) <= BigInt(last.time)) return null;
  const fell = amount.count < last.amount.count || amount.sum < last.amount.sum;
  // A sender without a start time has restarted when its sums fall; Prometheus reads them the same way.
  if (fell || amount.buckets.some((count, i) => count < (last.amount.buckets[i] ?? 0))) return amount;
  return add(amount, last.amount, -1);
}

function zero({ kind, bounds }: Metric): Amount {
  return { count: 0, sum: 0, buckets: kind === "counter" ? [] : new Array<number>(bounds.length + 1).fill(0) };
}

function add(to: Amount, what: Amount, sign: 1 | -1 = 1): Amount {
  return {
    count: to.count + sign * what.count,
    sum: to.sum + sign * what.sum,
    buckets: to.buckets.map((count, i) => count + sign * (what.buckets[i] ?? 0)),
  };
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}
