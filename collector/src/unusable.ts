// What is rejected and why: the error of one point or record, and the few codes by which rejections are counted.

export const REJECT_CODES = [
  /** It is not what OTLP allows. */
  "malformed",
  /** The metric is neither the library's nor allowed by the operator. */
  "unknown_metric",
  /** The metric's name belongs to another metric. */
  "reserved_name",
  /** Kind, unit or bounds are not those of the metric. */
  "definition",
  /** An amount is too large, or contradicts itself. */
  "amount",
  /** A time cannot be true. */
  "time",
  /** There is no place for it: attributes, buckets, series, streams. */
  "limit",
] as const;

export type RejectCode = (typeof REJECT_CODES)[number];

/** One point or record that cannot be used; the message is for the author of the sender. */
export class Unusable extends Error {
  override name = "Unusable";
  constructor(
    message: string,
    readonly code: RejectCode = "malformed",
  ) {
    super(message);
  }
}
