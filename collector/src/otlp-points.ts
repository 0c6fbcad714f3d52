// Reads the amount that one OTLP data point carries, a counter's or a histogram's; pure.
import { MAX_BUCKETS } from "./limits.js";
import { count, double, type Fields, list, Unusable } from "./otlp-values.js";
import type { Amount } from "./records.js";

export type AmountReader = (point: Fields, name: string) => { amount: Amount; bounds: readonly number[] };

/** A point of a monotonic sum: `asInt` or `asDouble`, never negative. */
export const readCount: AmountReader = (point, name) => {
  const isInt = point.asInt !== undefined && point.asInt !== null;
  const sum = isInt ? count(point.asInt, `${name}: asInt`) : double(point.asDouble, `${name}: asDouble`);
  if (sum < 0) throw new Unusable(`${name}: a counter cannot grow by ${sum}`);
  return { amount: { count: 0, sum, buckets: [] }, bounds: [] };
};

/** A point of a histogram with explicit buckets, of values that cannot be negative. */
export const readHistogram: AmountReader = (point, name) => {
  const bounds = list(point.explicitBounds, `${name}: explicitBounds`).map((bound) =>
    double(bound, `${name}: a bound`),
  );
  if (bounds.length >= MAX_BUCKETS) throw new Unusable(`${name} has ${bounds.length} bounds; ${MAX_BUCKETS - 1} fit`);
  if (bounds.some((bound, i) => i > 0 && bound <= (bounds[i - 1] ?? bound)))
    throw new Unusable(`${name}: explicitBounds must rise`);

  const total = count(point.count ?? 0, `${name}: count`);
  const given = list(point.bucketCounts, `${name}: bucketCounts`).map((one) => count(one, `${name}: a bucket's count`));
  // OTLP: without bounds the one bucket may be left out.
  const buckets = given.length === 0 && bounds.length === 0 ? [total] : given;
  if (buckets.length !== bounds.length + 1)
    throw new Unusable(
      `${name}: ${bounds.length} bounds need ${bounds.length + 1} bucketCounts, not ${buckets.length}`,
    );
  if (buckets.reduce((all, one) => all + one, 0) !== total)
    throw new Unusable(`${name}: the bucketCounts do not add up to count (${total})`);

  // OTLP leaves the sum out for instruments that may record negative values; Prometheus needs one.
  const sum = total === 0 ? 0 : double(point.sum, `${name}: sum`);
  if (sum < 0) throw new Unusable(`${name}: the sum ${sum} is negative; values must be 0 or more`);
  return { amount: { count: total, sum, buckets }, bounds };
};
