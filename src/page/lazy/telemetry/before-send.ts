// Applies the page's `beforeSend` to a batch, and counts what it removes as dropped.

import type { Accounting } from "./accounting.js";
import type { RecorderBatch } from "./recorder.js";
import type { TelemetryOptions } from "./types.js";

/** Returns what is to be sent; undefined when the page dropped all of it. */
export function applyBeforeSend(
  collected: RecorderBatch,
  beforeSend: NonNullable<TelemetryOptions["beforeSend"]>,
  drop: Accounting["drop"],
): RecorderBatch | undefined {
  const { batch, records } = collected;
  let kept: RecorderBatch | undefined;
  try {
    const result = beforeSend(structuredClone(batch));
    if (Array.isArray(result?.metrics) && Array.isArray(result.events)) {
      // The event that reports drops is not a record.
      const removedEvents = Math.max(0, batch.events.length - result.events.length);
      const metrics = result.metrics.length > 0 ? records.metrics : 0;
      kept = { batch: result, records: { metrics, events: Math.max(0, records.events - removedEvents) } };
    }
  } catch {
    // As null and anything else that is no batch: what it would have removed is not known.
  }
  const { metrics = 0, events = 0 } = kept?.records ?? {};
  drop("before_send", { metrics: records.metrics - metrics, events: records.events - events });
  return kept;
}
