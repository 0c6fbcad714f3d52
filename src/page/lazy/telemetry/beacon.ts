// Writes batches in the collector's small form of `POST /v1/beacon`; pure.
import type { TelemetryBatch } from "./types.js";

/** The field names are the collector's and must not change: `start` and `end` of the batch, `time` of each event, epoch milliseconds. */
export function beaconBody(batch: TelemetryBatch, resource: Record<string, string>): object {
  const { startedAt: start, endedAt: end, metrics } = batch;
  const events = batch.events.map(({ recordedAt: time, ...event }) => ({ ...event, time }));
  return { v: 1, resource, start, end, metrics, events };
}
