// Reads the amount of one OTLP data point, of a counter or a histogram; pure.
import { POWERS } from "./catalogue.js";
import { coarseOf, fineOf } from "./exponential.js";
import { MAX_BUCKETS } from "./limits.js";
import { count, double, type Fields, fields, list } from "./otlp-values.js";
import type { Amount } from "./records.js";
import { Unusable } from "./unusable.js";

export type AmountReader = (point: Fields, name: string) => { amount: Amount; bounds: readonly number[] };

/** A point of a monotonic sum: `asInt` or `asDouble`, never negative. */
export const readCount: AmountReader = (point, name) => {
  const isInt = point.asInt !== undefined && point.asInt !== null;
  const sum = isInt ? count(point.asInt, `${name}: asInt`) : double(point.asDouble, `${name}: asDouble`);
  if (sum < 0) throw new Unusable(`${name}: a counter cannot grow by ${sum}`, "amount");
  return { amount: { count: 0, sum, buckets: [] }, bounds: [] };
};

/** A point of a histogram with explicit buckets, of values that cannot be negative. */
export const readHistogram: AmountReader = (point, name) => {
  const bounds = list(point.explicitBounds, `${name}: explicitBounds`).map((bound) =>
    double(bound, `${name}: a bound`),
  );
  if (bounds.length >= MAX_BUCKETS)
    throw new Unusable(`${name} has ${bounds.length} bounds; at most ${MAX_BUCKETS - 1} are allowed`, "limit");
  if (bounds.some((bound, i) => i > 0 && bound <= (bounds[i - 1] ?? bound)))
    throw new Unusable(`${name}: explicitBounds must increase`);

  const total = count(point.count ?? 0, `${name}: count`);
  const given = list(point.bucketCounts, `${name}: bucketCounts`).map((one) => count(one, `${name}: a bucket's count`));
  // OTLP: without bounds the one bucket may be left out.
  const buckets = given.length === 0 && bounds.length === 0 ? [total] : given;
  if (buckets.length !== bounds.length + 1)
    throw new Unusable(
      `${name}: ${bounds.length} bounds need ${bounds.length + 1} bucketCounts, not ${buckets.length}`,
    );
  if (buckets.reduce((all, one) => all + one, 0) !== total)
    throw new Unusable(`${name}: the bucketCounts do not add up to count (${total})`, "amount");

  // OTLP leaves the sum out for instruments that may record negative values; Prometheus needs one.
  const sum = total === 0 ? 0 : double(point.sum, `${name}: sum`);
  if (sum < 0) throw new Unusable(`${name}: the sum ${sum} is negative; values must be 0 or more`, "amount");
  return { amount: { count: total, sum, buckets, ...extremesOf(point, name, total) }, bounds };
};

/** OTLP's optional `min` and `max`; without values there are none. */
function extremesOf(point: Fields, name: string, total: number): Pick<Amount, "min" | "max"> {
  const extreme = (field: "min" | "max") => {
    const isKnown = total > 0 && point[field] !== undefined && point[field] !== null;
    return isKnown ? { [field]: double(point[field], `${name}: ${field}`) } : {};
  };
  return { ...extreme("min"), ...extreme("max") };
}

const MAX_SCALE = 20;

/** A point of an exponential histogram, of values that cannot be negative. */
export const readExponential: AmountReader = (point, name) => {
  const total = count(point.count ?? 0, `${name}: count`);
  const scale = double(point.scale ?? 0, `${name}: scale`);
  if (!Number.isInteger(scale) || scale < 0 || scale > MAX_SCALE)
    throw new Unusable(`${name}: the scale is ${scale}; it must be an integer from 0 to ${MAX_SCALE}`);
  const positive = fields(point.positive ?? {}, `${name}: positive`);
  const offset = double(positive.offset ?? 0, `${name}: offset`);
  if (!Number.isInteger(offset) || Math.abs(offset) > 2 ** 31) throw new Unusable(`${name}: offset must be an integer`);
  const given = list(positive.bucketCounts, `${name}: bucketCounts`).map((one) =>
    count(one, `${name}: a bucket's count`),
  );
  if (given.length > MAX_BUCKETS)
    throw new Unusable(`${name} has ${given.length} buckets; at most ${MAX_BUCKETS} are allowed`, "limit");
  const negative = fields(point.negative ?? {}, `${name}: negative`);
  if (list(negative.bucketCounts, `${name}: negative`).some((one) => count(one, `${name}: a bucket's count`) > 0))
    throw new Unusable(`${name}: values must be 0 or more`, "amount");

  const buckets = coarseOf({ scale, offset, buckets: given });
  buckets[0] = (buckets[0] ?? 0) + count(point.zeroCount ?? 0, `${name}: zeroCount`);
  if (buckets.reduce((all, one) => all + one, 0) !== total)
    throw new Unusable(`${name}: the buckets do not add up to count (${total})`, "amount");
  const sum = total === 0 ? 0 : double(point.sum, `${name}: sum`);
  if (sum < 0) throw new Unusable(`${name}: the sum ${sum} is negative; values must be 0 or more`, "amount");
  const fine = fineOf({ scale, offset, buckets: given });
  return { amount: { count: total, sum, buckets, fine, ...extremesOf(point, name, total) }, bounds: POWERS };
};
