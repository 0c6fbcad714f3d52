// The collector's metrics about itself.
import type { OwnMetric } from "./prometheus.js";
import { REJECT_CODES, type RejectCode } from "./unusable.js";

/** Counts since the collector started. */
export interface OwnCounts {
  batches: number;
  points: number;
  events: number;
  rejected: Record<RejectCode, number>;
  /** Points that were added to an overflow series. */
  overflowed: number;
  repeated: number;
  limited: number;
  failed: number;
  /** Requests that the database had lost when it was opened. */
  lost: number;
}

export function createOwnCounts(lost: number): OwnCounts {
  const rejected = Object.fromEntries(REJECT_CODES.map((code) => [code, 0])) as Record<RejectCode, number>;
  return { batches: 0, points: 0, events: 0, rejected, overflowed: 0, repeated: 0, limited: 0, failed: 0, lost };
}

/** `series`: how many are stored. `droppedAttributes`: how many the allow list left out. */
export function ownMetrics(counts: OwnCounts, series: number, droppedAttributes: number): OwnMetric[] {
  const counter = (name: string, help: string, value: number): OwnMetric => ({
    name: `insitu_collector_${name}_total`,
    kind: "counter",
    help: `${help} since the collector started.`,
    value,
  });
  return [
    counter("batches", "Requests that were counted", counts.batches),
    { name: "insitu_collector_series", kind: "gauge", help: "Series that are stored.", value: series },
    counter("points", "Data points that were read", counts.points),
    counter("events", "Log records that were stored", counts.events),
    ...REJECT_CODES.map((code) => ({
      ...counter("rejected", "Data points and log records that were rejected for this reason", counts.rejected[code]),
      labels: [["reason", code]] as const,
    })),
    counter("overflowed_points", "Points that were added to an overflow series", counts.overflowed),
    counter("repeated_batches", "Requests that had been counted before", counts.repeated),
    counter("rate_limited", "Requests over the rate limit", counts.limited),
    counter("attributes_dropped", "Attributes that are not on the allow list", droppedAttributes),
    counter("storage_failures", "Requests that the database could not store", counts.failed),
    {
      name: "insitu_collector_lost_requests",
      kind: "gauge",
      help: "Stored requests that the database had lost when it was opened.",
      value: counts.lost,
    },
  ];
}
