// The contract of a sink: another system that stored batches are passed on to.
import type { Event, Point } from "../records.js";

/** One stored request: as it came, in OTLP's JSON, and as the points and events that were read from it. */
export interface SinkBatch {
  /** The request's id, random when it had none; the same in every attempt. */
  id: string;
  /** Bodies of OTLP/HTTP with their paths. */
  otlp: { path: "/v1/metrics" | "/v1/logs"; body: unknown }[];
  points: readonly Point[];
  events: readonly Event[];
}

/** One request to a sink. `items` is the number of points and events in it. */
export interface Delivery {
  body: string;
  items: number;
  /** For sinks with more than one address. */
  path?: string;
}

export type SendResult =
  /** `failed` items were refused for good; `again` holds those that may be sent once more. */
  | { kind: "done"; failed: number; again?: Delivery }
  /** Nothing was accepted. `after`: milliseconds that the sink asked to wait. */
  | { kind: "retry"; after?: number }
  /** Nothing was accepted, and never will be. */
  | { kind: "refused"; reason: string };

export interface Sink {
  /** Part of the names of its metrics. */
  name: string;
  /** The requests that carry a batch; none when it has nothing for this sink. */
  pack(batch: SinkBatch): Delivery[];
  /** Never rejects; ends with `retry` when the signal is aborted. */
  send(delivery: Delivery, signal: AbortSignal): Promise<SendResult>;
}
