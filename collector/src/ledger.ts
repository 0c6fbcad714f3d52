// The sums of all series, in memory, and what a batch would change of them.
import { isOwn, metricKey } from "./catalogue.js";
import { MAX_SERIES } from "./limits.js";
import { sampleNames } from "./names.js";
import type { Amount, Attributes, Cumulative, Metric, Series } from "./records.js";

export interface Entry extends Series {
  id: number;
  /** Of its metric, in `Ledger.metrics`. */
  metricKey: string;
  /** Epoch milliseconds of its newest point. */
  lastAt: number;
}

/** The last point of a cumulative stream, to take the next one's difference from. */
export interface LastPoint extends Cumulative {
  amount: Amount;
}

/** What was stored so far, by the keys of `metricKey`, `entryKey`, and the stream. */
interface Sums {
  metrics: Map<string, Metric>;
  entries: Map<string, Entry>;
  streams: Map<string, LastPoint>;
  /** Which metric that is not the library's has a name in Prometheus's text. */
  samples: Map<string, string>;
}

export interface Ledger extends Sums {
  /** The id of the next new series; an id is never used again while points with it may exist. */
  nextId: number;
  /** Series of an older collector whose definition contradicts the catalogue: stored, not served. */
  aside: { id: number; lastAt: number }[];
}

/** What a batch would change. `apply` is called once the change is in the database. */
export interface Change extends Sums {
  /** Ids of entries that were not known before. */
  added: Set<number>;
  /** The points, each with the series that it was added to, for queries over time. */
  points: { id: number; time: number; amount: Amount; metric: Metric; attributes: Attributes }[];
}

const emptySums = (): Sums => ({ metrics: new Map(), entries: new Map(), streams: new Map(), samples: new Map() });

export function emptyLedger(): Ledger {
  return { ...emptySums(), nextId: 1, aside: [] };
}

export function emptyChange(): Change {
  return { ...emptySums(), added: new Set(), points: [] };
}

/** Attributes as they were sent, not as labels: two keys that have one form in Prometheus are two series. */
export function entryKey(metric: Metric, attributes: Attributes): string {
  return `${metricKey(metric)} ${JSON.stringify(attributes)}`;
}

export function addMetric(sums: Sums, metric: Metric): void {
  sums.metrics.set(metricKey(metric), metric);
  if (!isOwn(metric.name)) for (const sample of sampleNames(metric)) sums.samples.set(sample, metric.name);
}

export function apply(ledger: Ledger, change: Change): void {
  for (const metric of change.metrics.values()) addMetric(ledger, metric);
  for (const [key, entry] of change.entries) ledger.entries.set(key, entry);
  for (const [key, last] of change.streams) ledger.streams.set(key, last);
  ledger.nextId += change.added.size;
}

// Above this share of the places, senders from many addresses may have invented most series.
const CROWDED = 0.9;
// Points are at most a day behind, after their times were clamped; a series that is in use has one every day.
const CROWDED_SILENCE_MS = 2 * 24 * 3600 * 1000;

/** The ids of the series that retire: without a point since `time`, or for two days when few places are left. */
export function silentSince(ledger: Ledger, time: number, now: number): number[] {
  const isCrowded = ledger.entries.size > CROWDED * MAX_SERIES;
  const since = isCrowded ? Math.max(time, now - CROWDED_SILENCE_MS) : time;
  return [...ledger.entries.values(), ...ledger.aside].filter(({ lastAt }) => lastAt < since).map(({ id }) => id);
}

/** Removes series, and the metrics that have none then: the first sender after that defines them again. */
export function retire(ledger: Ledger, ids: readonly number[]): void {
  if (ids.length === 0) return;
  const gone = new Set(ids);
  for (const [key, { id }] of ledger.entries) if (gone.has(id)) ledger.entries.delete(key);
  ledger.aside = ledger.aside.filter(({ id }) => !gone.has(id));
  const used = new Set([...ledger.entries.values()].map(({ metricKey: key }) => key));
  for (const [key, metric] of ledger.metrics) {
    if (used.has(key)) continue;
    ledger.metrics.delete(key);
    for (const sample of sampleNames(metric)) ledger.samples.delete(sample);
  }
}
