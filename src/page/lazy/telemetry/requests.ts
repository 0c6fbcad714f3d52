// Packs batches into requests that are small enough for a page that is closing.

import { randomHex } from "../../../shared/hex.js";
import { beaconBody } from "./beacon.js";
import type { Signal } from "./emitter.js";
import { otlpLogs, otlpMetrics } from "./otlp.js";
import type { RecorderBatch } from "./recorder.js";
import type { TelemetryBatch, TelemetryOptions, TelemetryRequest } from "./types.js";

/** A request to the collector, with the number of records in it. */
export interface ExportRequest extends TelemetryRequest {
  records: Record<Signal, number>;
  /** When it was packed, epoch milliseconds. */
  at: number;
}

// With its headers well below the 64 KiB that all requests of a closing page share.
const MAX_REQUEST_BYTES = 48 * 1024;

const byteLength = (text: string) => new TextEncoder().encode(text).length;

type WriteBody = (batch: TelemetryBatch, resource: Record<string, string>) => object;

export function toRequests(
  { batch, records }: RecorderBatch,
  resource: Record<string, string>,
  protocol: TelemetryOptions["protocol"],
): ExportRequest[] {
  const requests: ExportRequest[] = [];
  const add = (path: ExportRequest["path"], write: WriteBody, { batch, records }: RecorderBatch): void => {
    const body = JSON.stringify(write(batch, resource));
    const halves = byteLength(body) > MAX_REQUEST_BYTES ? split(batch, records) : undefined;
    if (halves) for (const half of halves) add(path, write, half);
    else requests.push({ id: randomHex(), path, body, records, at: batch.endedAt });
  };
  if (protocol === "beacon") add("/v1/beacon", beaconBody, { batch, records });
  else {
    const { metrics, events } = records;
    if (batch.metrics.length > 0)
      add("/v1/metrics", otlpMetrics, { batch: { ...batch, events: [] }, records: { metrics, events: 0 } });
    if (batch.events.length > 0)
      add("/v1/logs", otlpLogs, { batch: { ...batch, metrics: [] }, records: { metrics: 0, events } });
  }
  return requests;
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
