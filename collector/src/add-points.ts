// Adds points to one sum per series: what a batch would change of the ledger, and what of it is rejected; pure.
import { add, growth, zeroOf } from "./amounts.js";
import { isOutcome, isOwn, metricKey, OUTCOME, OUTCOMES, sameBounds } from "./catalogue.js";
import { isFull, refusalOf } from "./clamps.js";
import { addMetric, type Change, type Entry, entryKey, type Ledger } from "./ledger.js";
import { MAX_SERIES, MAX_STREAMS } from "./limits.js";
import { sampleNames } from "./names.js";
import type { Amount, Attributes, Cumulative, Metric, Point, Rejected } from "./records.js";
import { Unusable } from "./unusable.js";

export interface Added {
  rejected: Rejected[];
  /** Points that were added to an overflow series, because there was no place for one of their own. */
  overflowed: number;
}

/** Whether a sender may begin one more. */
export type MayBegin = (what: "series" | "stream") => boolean;

const OVERFLOW: Attributes = [["otel.metric.overflow", "true"]];

/** Adds points to a change of the ledger. `mayBegin` limits what their sender begins. */
export function addPoints(
  ledger: Ledger,
  change: Change,
  points: readonly Point[],
  mayBegin: MayBegin = () => true,
): Added {
  const added: Added = { rejected: [], overflowed: 0 };
  for (const point of points) {
    try {
      if (addPoint({ ledger, change, mayBegin }, point)) added.overflowed += 1;
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      added.rejected.push({ count: 1, reason: error.message, code: error.code });
    }
  }
  return added;
}

interface Context {
  ledger: Ledger;
  change: Change;
  mayBegin: MayBegin;
}

/** Returns whether it was added to an overflow series. Throws `Unusable`, and then changes no sum. */
function addPoint(context: Context, point: Point): boolean {
  const { ledger, change } = context;
  const known = checkDefinition(context, point.metric);
  checkOutcome(point);
  const metric = known ?? point.metric;
  const amount = point.cumulative ? difference(context, point, point.cumulative) : point.amount;
  // Seen before, or older than one that includes it: nothing is lost.
  if (!amount) return false;
  const { key, entry, isOverflow } = findEntry(context, metric, point.attributes, known !== undefined);
  if (!known) addMetric(change, metric);
  if (!ledger.entries.has(key)) change.added.add(entry.id);
  const grown = add(entry.total, amount);
  const total = isFull(metric, grown) ? add(zeroOf(metric), amount) : grown;
  change.entries.set(key, { ...entry, total, lastAt: Math.max(entry.lastAt, point.time) });
  change.points.push({ id: entry.id, time: point.time, amount, metric, attributes: entry.attributes });
  return isOverflow;
}

/** The known definition of a metric. The catalogue defines the library's metrics, the first sender those that the operator allows. */
function checkDefinition({ ledger, change }: Context, metric: Metric): Metric | undefined {
  const { name, kind, unit, bounds } = metric;
  const key = metricKey(metric);
  const known = change.metrics.get(key) ?? ledger.metrics.get(key);
  if (known) {
    if (known.kind !== kind) throw new Unusable(`${name} is known as a ${known.kind}, not a ${kind}`, "definition");
    if (known.unit !== unit)
      throw new Unusable(
        `${name} has the unit ${JSON.stringify(known.unit)}, not ${JSON.stringify(unit)}`,
        "definition",
      );
    if (!sameBounds(known.bounds, bounds))
      throw new Unusable(
        `${name} has other explicitBounds than those it was first seen with: ${known.bounds.join(", ")}`,
        "definition",
      );
  } else if (!isOwn(name))
    for (const sample of sampleNames(metric)) {
      const owner = change.samples.get(sample) ?? ledger.samples.get(sample);
      if (owner !== undefined)
        throw new Unusable(`${name} would have the name of ${owner} in Prometheus`, "reserved_name");
    }
  return known;
}

/** A third outcome would be a label that is neither right nor wrong. */
function checkOutcome({ metric, attributes }: Point): void {
  if (metric.name !== "ml.prediction.outcomes") return;
  const value = attributes.find(([key]) => key === OUTCOME)?.[1];
  if (!isOutcome(value))
    throw new Unusable(
      `${metric.name} must have the attribute ${OUTCOME} with ${OUTCOMES.join(" or ")}, not ${JSON.stringify(value) ?? "none"}`,
      "definition",
    );
}

/** The series of a point; when there is no place for it, its metric's overflow series. */
function findEntry({ ledger, change, mayBegin }: Context, metric: Metric, attributes: Attributes, isKnown: boolean) {
  const find = (wanted: Attributes) => {
    const key = entryKey(metric, wanted);
    const known = change.entries.get(key) ?? ledger.entries.get(key);
    const id = ledger.nextId + change.added.size;
    const entry: Entry = known ?? {
      id,
      metricKey: metricKey(metric),
      metric,
      attributes: wanted,
      total: zeroOf(metric),
      lastAt: 0,
    };
    return { key, entry, isNew: known === undefined };
  };
  const found = find(attributes);
  if (!found.isNew) return { ...found, isOverflow: false };
  const hasPlace = ledger.entries.size + change.added.size < MAX_SERIES;
  if (hasPlace && mayBegin("series")) return { ...found, isOverflow: false };
  // The catalogue is short; names that are invented would create as many overflow series.
  if (!isKnown && !isOwn(metric.name))
    throw new Unusable(`${metric.name} is not known, and there is no place for more series`, "limit");
  return { ...find(OVERFLOW), isOverflow: true };
}

/**
 * What a cumulative point adds to the last one of its stream: everything when it is the first, or after the sender has restarted. A
 * difference that is too large is not counted, and the next one is taken from this point: so a stream never stops.
 */
function difference({ ledger, change, mayBegin }: Context, point: Point, cumulative: Cumulative): Amount | null {
  const { metric, amount } = point;
  const { stream, time } = cumulative;
  const last = change.streams.get(stream) ?? ledger.streams.get(stream);
  if (last && BigInt(time) <= BigInt(last.time)) return null;
  const isFull = ledger.streams.size + change.streams.size >= MAX_STREAMS;
  if (!last && (isFull || !mayBegin("stream")))
    throw new Unusable("There is no place for more cumulative streams; send delta temporality", "limit");
  change.streams.set(stream, { ...cumulative, amount });
  // A sender without a start time has restarted when its sums fall; Prometheus reads them the same way.
  const grown = (last && growth(amount, last.amount)) ?? amount;
  const reason = refusalOf(metric, grown, amount.sum);
  if (reason) throw new Unusable(reason, "amount");
  return grown;
}
