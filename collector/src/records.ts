// The plain data that the modules of the collector share.
import type { RejectCode } from "./unusable.js";

/** Keys and values in the order of the keys; an array, since a sender's key may be called `__proto__`. */
export type Attributes = readonly (readonly [key: string, value: string])[];

/** What all points of one metric share. */
export interface Metric {
  /** OpenTelemetry's name, with dots: `ml.inference.duration`. */
  name: string;
  kind: "counter" | "histogram";
  /** UCUM: `s`, `By`, `{item}`. */
  unit: string;
  description: string;
  /** Upper bounds of a histogram's buckets without the last, infinite one; empty for a counter. */
  bounds: readonly number[];
}

/**
 * Buckets of an exponential histogram, as narrow as they are kept: bucket i counts values in (base^(offset + i), base^(offset + i + 1)], with
 * base = 2^(2^-scale).
 */
export interface Fine {
  /** 0 to 3. */
  scale: number;
  offset: number;
  buckets: readonly number[];
}

/** An amount: of a counter (`count` 0, no buckets) or of a histogram (one bucket more than there are bounds). */
export interface Amount {
  count: number;
  sum: number;
  buckets: readonly number[];
  /** Of an exponential histogram: the same values in narrower buckets, without those of 0. */
  fine?: Fine;
  /** The smallest and the largest value, where the sender knows them. */
  min?: number;
  max?: number;
}

/** A cumulative point holds the total since `start`; the stream identifies its sender. */
export interface Cumulative {
  /** Resource, scope, metric and attributes, as one string. */
  stream: string;
  /** Nanoseconds since 1970, as decimal strings: they do not fit a JavaScript number. */
  start: string;
  time: string;
}

export interface Point {
  metric: Metric;
  attributes: Attributes;
  /** Epoch milliseconds, clamped to this machine's clock. */
  time: number;
  amount: Amount;
  /** Absent: the amount is a delta, and is added. */
  cumulative?: Cumulative;
}

export interface Event {
  /** Epoch milliseconds, clamped to this machine's clock. */
  time: number;
  /** `ml.prediction`; null for a log record that is not an event. */
  name: string | null;
  /** OpenTelemetry's scale: 9 is INFO, 17 is ERROR. */
  severity: number;
  body: string | null;
  attributes: Attributes;
  resource: Attributes;
}

/** Something that was rejected, and why. */
export interface Rejected {
  count: number;
  code: RejectCode;
  /** For the author of the sender. */
  reason: string;
}

/** The sum of one metric for one set of attributes. */
export interface Series {
  metric: Metric;
  attributes: Attributes;
  total: Amount;
}
