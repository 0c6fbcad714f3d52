// Writes values of which only the limits are known: a percentile lies somewhere within its bucket.
import type { Report, Spread, ValueRange } from "../src/report-types.js";
import { bytesTick, duration, durationTick } from "./format.js";
import { isFew } from "./samples.js";

/** Of a table: the words, and the figure behind them. */
interface Figure {
  text: string;
  value: number;
}

export type Percentile = keyof Spread["ranges"];

const SHARES: Record<Percentile, number> = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** Limits that are closer than this are one figure: the buckets of exponential histograms, whose limits are 9 % apart. */
const NARROW = 1.1;

/** `12.3 ms` where the limits are close, else `5 to 10 ms`, or `over 10.2 s`. */
export function percentileText(spread: Spread, name: Percentile): string {
  return rangeText(spread.ranges[name], duration, durationTick, spread[name]);
}

function maxText({ max }: Pick<Spread, "max">): string {
  return rangeText(max, duration, durationTick, max[1] ?? max[0]);
}

export function bytesText(range: ValueRange, format: (value: number) => string): string {
  return rangeText(range, format, bytesTick, range[1] ?? range[0]);
}

export function rangeText(
  [low, high]: ValueRange,
  exact: (value: number) => string,
  limit: (value: number) => string,
  value: number,
): string {
  if (high === null) return `over ${limit(low)}`;
  if (high <= low * NARROW) return exact(value);
  const [from, to] = [limit(low), limit(high)];
  const unit = / \S+$/.exec(to)?.[0] ?? "";
  // `5 to 10 ms`, but `800 µs to 1.2 ms`.
  return `${low === 0 ? "0" : from.endsWith(unit) ? from.slice(0, from.length - unit.length) : from} to ${to}`;
}

/** A percentile in a table; its interpolated value is behind the words. */
export function percentileCell(spread: Spread, name: Percentile): Figure {
  // That the whole row has few values stands beside their number.
  const few = isFew(spread.count, SHARES[name]) && !isFew(spread.count) ? ", few" : "";
  return { text: `${percentileText(spread, name)}${few}`, value: spread[name] };
}

export function maxCell({ max }: Spread): Figure {
  return { text: maxText({ max }), value: max[1] ?? max[0] };
}

/** Where the bars of several rows end: no bar is longer than the largest p95. */
export function longest(rows: readonly Pick<Spread, "p95">[]): number {
  return rows.reduce((max, { p95 }) => Math.max(max, p95), Number.MIN_VALUE);
}

/** What a tooltip says of a step. */
export function percentileOf(point: Report["latency"][number]["points"][number], name: Percentile): string {
  const few = isFew(point.count, SHARES[name]) ? `, ${point.count === 1 ? "1 value" : `${point.count} values`}` : "";
  return `${percentileText(point, name)}${few}`;
}
