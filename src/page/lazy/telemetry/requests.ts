// Packs batches into requests that fit what a browser lets a closing page send.

import { randomId } from "./id.js";
import { otlpLogs, otlpMetrics } from "./otlp.js";
import type { RecorderBatch, Signal } from "./recorder.js";
import type { TelemetryBatch, TelemetryOptions, TelemetryRequest } from "./types.js";

/** A request, and what is in it. */
export interface ExportRequest extends TelemetryRequest {
  records: Record<Signal, number>;
  /** Milliseconds since 1970. */
  at: number;
}

// With its headers well under the 64 KiB that all requests of a closing page share.
export const MAX_REQUEST_BYTES = 48 * 1024;

const byteLength = (text: string) => new TextEncoder().encode(text).length;

export function toRequests(
  { batch, records }: RecorderBatch,
  resource: Record<string, string>,
  protocol: TelemetryOptions["protocol"],
): ExportRequest[] {
  const parcels: ExportRequest[] = [];
  const add = (path: ExportRequest["path"], half: TelemetryBatch, inside: ExportRequest["records"]): void => {
    const body = JSON.stringify(bodyOf(path, half, resource));
    const halves = byteLength(body) > MAX_REQUEST_BYTES ? split(half, inside) : undefined;
    if (halves) for (const [part, its] of halves) add(path, part, its);
    else parcels.push({ id: randomId(), path, body, records: inside, at: half.endedAt });
  };
  const { metrics, events } = batch;
  if (protocol === "beacon") add("/v1/beacon", batch, records);
  else {
    if (metrics.length > 0) add("/v1/metrics", { ...batch, events: [] }, { ...records, events: 0 });
    if (events.length > 0) add("/v1/logs", { ...batch, metrics: [] }, { metrics: 0, events: records.events });
  }
  return parcels;
}

function bodyOf(path: ExportRequest["path"], batch: TelemetryBatch, resource: Record<string, string>): object {
  switch (path) {
    case "/v1/metrics":
      return otlpMetrics(batch, resource);
    case "/v1/logs":
      return otlpLogs(batch.events, resource);
    case "/v1/beacon":
      return { v: 1, resource, ...batch };
    default:
      return path satisfies never;
  }
}

type Part = [TelemetryBatch, ExportRequest["records"]];

/** Two halves; undefined when there is nothing left to halve. A figure is in many sums: the first half speaks for all of them. */
function split(batch: TelemetryBatch, records: ExportRequest["records"]): Part[] | undefined {
  const metrics = batch.metrics.flatMap((metric) => metric.points.map((point) => ({ ...metric, points: [point] })));
  const { events } = batch;
  if (metrics.length + events.length < 2) return undefined;
  const [middle, half] = [metrics.length >> 1, events.length >> 1];
  const rest = Math.max(0, records.events - half);
  const first = { ...batch, metrics: metrics.slice(0, middle), events: events.slice(0, half) };
  const second = { ...batch, metrics: metrics.slice(middle), events: events.slice(half) };
  return [
    [first as TelemetryBatch, { metrics: records.metrics, events: records.events - rest }],
    [second as TelemetryBatch, { metrics: 0, events: rest }],
  ];
}
