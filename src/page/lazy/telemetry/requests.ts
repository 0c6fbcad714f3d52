// Packs batches into requests that are small enough for a page that is closing.

import { randomHex } from "../../../shared/hex.js";
import { beaconBody } from "./beacon.js";
import { otlpLogs, otlpMetrics } from "./otlp.js";
import type { RecorderBatch, Signal } from "./recorder.js";
import type { TelemetryBatch, TelemetryOptions, TelemetryRequest } from "./types.js";

/** A request to the collector, with the number of records in it. */
export interface ExportRequest extends TelemetryRequest {
  records: Record<Signal, number>;
  /** When it was packed, epoch milliseconds. */
  at: number;
}

// With its headers well below the 64 KiB that all requests of a closing page share.
export const MAX_REQUEST_BYTES = 48 * 1024;

const byteLength = (text: string) => new TextEncoder().encode(text).length;

export function toRequests(
  { batch, records }: RecorderBatch,
  resource: Record<string, string>,
  protocol: TelemetryOptions["protocol"],
): ExportRequest[] {
  const requests: ExportRequest[] = [];
  const add = (path: ExportRequest["path"], part: TelemetryBatch, records: ExportRequest["records"]): void => {
    const body = JSON.stringify(bodyOf(path, part, resource));
    const halves = byteLength(body) > MAX_REQUEST_BYTES ? split(part, records) : undefined;
    if (halves) for (const half of halves) add(path, half.batch, half.records);
    else requests.push({ id: randomHex(), path, body, records, at: part.endedAt });
  };
  const { metrics, events } = batch;
  if (protocol === "beacon") add("/v1/beacon", batch, records);
  else {
    if (metrics.length > 0) add("/v1/metrics", { ...batch, events: [] }, { ...records, events: 0 });
    if (events.length > 0) add("/v1/logs", { ...batch, metrics: [] }, { metrics: 0, events: records.events });
  }
  return requests;
}

function bodyOf(path: ExportRequest["path"], batch: TelemetryBatch, resource: Record<string, string>): object {
  switch (path) {
    case "/v1/metrics":
      return otlpMetrics(batch, resource);
    case "/v1/logs":
      return otlpLogs(batch.events, resource);
    case "/v1/beacon":
      return beaconBody(batch, resource);
    default:
      return path satisfies never;
  }
}

/** Two halves; undefined when there is nothing left to halve. A figure is part of many sums: the first half counts all figures. */
function split(batch: TelemetryBatch, records: ExportRequest["records"]): RecorderBatch[] | undefined {
  const metrics = batch.metrics.flatMap((metric) => metric.points.map((point) => ({ ...metric, points: [point] })));
  const { events } = batch;
  if (metrics.length + events.length < 2) return undefined;
  const [middle, half] = [metrics.length >> 1, events.length >> 1];
  const secondEvents = Math.max(0, records.events - half);
  const first = { ...batch, metrics: metrics.slice(0, middle), events: events.slice(0, half) };
  const second = { ...batch, metrics: metrics.slice(middle), events: events.slice(half) };
  return [
    { batch: first as TelemetryBatch, records: { metrics: records.metrics, events: records.events - secondEvents } },
    { batch: second as TelemetryBatch, records: { metrics: 0, events: secondEvents } },
  ];
}
