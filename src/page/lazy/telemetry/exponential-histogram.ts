// OpenTelemetry's exponential histogram: bucket widths grow by a constant factor, which grows with the range of the values.
import type { TelemetryAttributes, TelemetryExponentialPoint } from "./types.js";

// The specification's defaults: opentelemetry.io/docs/specs/otel/metrics/sdk, "Base2 Exponential Bucket Histogram Aggregation".
const MAX_SCALE = 20;
const MAX_SIZE = 160;

/** The bucket (base^index, base^(index+1)] of a positive number, with base = 2^(2^-scale). */
export function bucketIndex(value: number, scale: number): number {
  const exponent = exponentOf(value);
  // A power of two is the upper bound of its bucket; logarithms may round it to either side.
  if (value === 2 ** exponent) return scale >= 0 ? exponent * 2 ** scale - 1 : (exponent - 1) >> -scale;
  if (scale <= 0) return exponent >> -scale;
  const index = Math.ceil(Math.log2(value / 2 ** exponent) * 2 ** scale) - 1;
  // Between two powers of two lie 2^scale buckets.
  return exponent * 2 ** scale + Math.min(2 ** scale - 1, Math.max(0, index));
}

/** The largest integer e with 2^e <= value. */
function exponentOf(value: number): number {
  // By the specification a subnormal number counts as the smallest normal one.
  const exponent = Math.floor(Math.log2(Math.max(value, 2 ** -1022)));
  if (2 ** exponent > value) return exponent - 1;
  return 2 ** (exponent + 1) <= value ? exponent + 1 : exponent;
}

export function emptyExponential(attributes: TelemetryAttributes): TelemetryExponentialPoint {
  return {
    attributes,
    count: 0,
    sum: 0,
    min: Infinity,
    max: 0,
    zeroCount: 0,
    scale: MAX_SCALE,
    offset: 0,
    buckets: [],
  };
}

/** Adds a number of 0 or more. */
export function addExponential(point: TelemetryExponentialPoint, value: number): void {
  if (value === 0) point.zeroCount += 1;
  else addAt(point, bucketIndex(value, point.scale), 1);
}

/** Adds the buckets of another point, at the coarser scale of the two. */
export function mergeExponential(into: TelemetryExponentialPoint, from: TelemetryExponentialPoint): void {
  while (into.scale > from.scale) halve(into);
  into.zeroCount += from.zeroCount;
  for (const [i, count] of from.buckets.entries())
    if (count > 0) addAt(into, (from.offset + i) >> (from.scale - into.scale), count);
}

/** `at` is an index at the point's scale. */
function addAt(point: TelemetryExponentialPoint, at: number, count: number): void {
  const { buckets } = point;
  let index = at;
  if (buckets.length === 0) point.offset = index;
  let low = Math.min(point.offset, index);
  let high = Math.max(point.offset + buckets.length - 1, index);
  for (; high - low >= MAX_SIZE; low >>= 1, high >>= 1) {
    halve(point);
    index >>= 1;
  }
  for (; point.offset > low; point.offset -= 1) buckets.unshift(0);
  while (buckets.length <= high - low) buckets.push(0);
  index -= point.offset;
  buckets[index] = (buckets[index] ?? 0) + count;
}

/** Merges each pair of neighbouring buckets into one: every value stays in the bucket range that held it ("perfect subsetting"). */
function halve(point: TelemetryExponentialPoint): void {
  const { offset } = point;
  const merged: number[] = [];
  for (const [i, count] of point.buckets.entries()) {
    const at = ((offset + i) >> 1) - (offset >> 1);
    merged[at] = (merged[at] ?? 0) + count;
  }
  point.scale -= 1;
  point.offset = offset >> 1;
  point.buckets.splice(0, point.buckets.length, ...merged);
}
