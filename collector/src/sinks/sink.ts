// What a place is that data is passed on to, and what comes of an attempt.
import type { Event, Point } from "../records.js";

/** One request that was counted: as it came, in OTLP's JSON, and as what was read of it. */
export interface Passed {
  /** Random where the sender gave none; the same in every attempt. */
  id: string;
  /** Bodies of OTLP/HTTP by their path. */
  otlp: { path: "/v1/metrics" | "/v1/logs"; body: unknown }[];
  points: readonly Point[];
  events: readonly Event[];
}

/** A request to a sink. `items` is how many points and events are in it. */
export interface Delivery {
  body: string;
  items: number;
  /** For sinks with more than one address. */
  path?: string;
}

export type Attempt =
  /** `failed` of the items were refused for good; `again` holds those that may be tried once more. */
  | { kind: "done"; failed: number; again?: Delivery }
  /** Nothing was taken; after so many milliseconds, if the sink said so. */
  | { kind: "retry"; after?: number }
  /** Nothing was taken, and never will be. */
  | { kind: "refused"; reason: string };

export interface Sink {
  /** As its figures call it. */
  name: string;
  /** The requests that hand a batch over; none when it has nothing for this sink. */
  pack(passed: Passed): Delivery[];
  /** Never rejects. */
  send(delivery: Delivery): Promise<Attempt>;
}
