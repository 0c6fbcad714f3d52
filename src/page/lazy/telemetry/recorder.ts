// Turns records into sums and events, within bounds, and counts what it drops.

import { createAggregate } from "./aggregate.js";
import { createEmitter, INFO, type RecorderDeps, type Signal } from "./emitter.js";
import { mapRecord } from "./mappers.js";
import type { TelemetryRecord } from "./records.js";
import type { TelemetryBatch, TelemetryEvent } from "./types.js";

/** A batch, and how many records of each signal are in it. */
export interface RecorderBatch {
  batch: TelemetryBatch;
  records: Record<Signal, number>;
}

export interface Recorder {
  /** Returns how many records it became. */
  record(record: TelemetryRecord): number;
  /** Adds dropped records to the sum that reports them; that sum is not a record itself. */
  dropped(signal: Signal, reason: string, count: number): void;
  /** True when there are as many events as one batch should hold. */
  isFull(): boolean;
  /** What was recorded since the last call; undefined when that is nothing. */
  collect(): RecorderBatch | undefined;
  /** Takes back a batch that was collected and not sent. */
  mergeBack(collected: RecorderBatch): void;
  /** Deletes everything; returns how many records that were. */
  clear(): Record<Signal, number>;
}

const BATCH_EVENTS = 50;
// While nothing may be sent; a page that predicts 60 times a second with 10 % sampled fills it in a minute and a half.
const MAX_EVENTS = 500;

export function createRecorder(deps: RecorderDeps): Recorder {
  const aggregate = createAggregate(deps.exponential);
  let startedAt = Date.now();
  let figures = 0;
  let events: TelemetryEvent[] = [];
  let drops: Record<string, number> = {};

  const emitter = createEmitter(deps, aggregate, (event) => {
    if (events.length >= MAX_EVENTS) {
      events.shift();
      deps.onDrop("events", "queue_overflow");
    }
    events.push(event);
  });

  /** Empties the recorder. */
  const takeAll = () => {
    const taken = { metrics: aggregate.take(), events, records: { metrics: figures, events: events.length } };
    figures = 0;
    events = [];
    return taken;
  };

  return {
    record(record) {
      const count = emitter.count(() => mapRecord(record, emitter));
      figures += count.metrics;
      return count.metrics + count.events;
    },
    dropped(signal, reason, count) {
      const attributes = { "ml.telemetry.signal": signal, "ml.telemetry.drop_reason": reason };
      aggregate.add("ml.telemetry.dropped", count, attributes);
      drops[`${signal}.${reason}`] = (drops[`${signal}.${reason}`] ?? 0) + count;
    },
    isFull: () => events.length >= BATCH_EVENTS,
    collect() {
      const { metrics, events, records } = takeAll();
      const endedAt = Date.now();
      if (Object.keys(drops).length > 0 && !deps.sumsOnly)
        events.push({ name: "ml.telemetry.report", recordedAt: endedAt, severity: INFO, attributes: drops });
      drops = {};
      // A clock that was set back must not make a batch end before it began.
      const batch = { startedAt: Math.min(startedAt, endedAt), endedAt, metrics, events };
      startedAt = endedAt;
      return metrics.length + events.length > 0 ? { batch, records } : undefined;
    },
    mergeBack({ batch, records }) {
      aggregate.merge(batch.metrics);
      events.unshift(...batch.events);
      startedAt = Math.min(startedAt, batch.startedAt);
      figures += records.metrics;
    },
    clear: () => takeAll().records,
  };
}
