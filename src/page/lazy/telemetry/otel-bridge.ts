// Passes each figure and event to an OpenTelemetry SDK that the page runs, under the same names.

import type { INSTRUMENTS, Instrument } from "./instruments.js";
import type { TelemetryEvent, TelemetryOptions } from "./types.js";

export interface OtelBridge {
  add(instrument: Instrument, value: number, attributes: Record<string, string>): void;
  emit(event: TelemetryEvent): void;
}

/**
 * Errors of the page's SDK are ignored: they must not stop the library's own telemetry. Nothing is passed on while `maySend` is false: an
 * SDK sends what it was given.
 */
export function createOtelBridge(
  { meter, logger }: NonNullable<TelemetryOptions["otel"]>,
  maySend: () => boolean,
  instruments: typeof INSTRUMENTS,
): OtelBridge {
  const recorders = new Map<Instrument, (value: number, attributes: Record<string, string>) => void>();
  const createRecorder = (name: Instrument) => {
    const [unit, bounds]: readonly [string, (readonly number[])?] = instruments[name];
    if (!meter) return () => undefined;
    if (!bounds) {
      const counter = meter.createCounter(name, { unit });
      return counter.add.bind(counter);
    }
    // The SDK's own default bounds are for milliseconds, and the collector refuses them.
    const histogram = meter.createHistogram(name, { unit, advice: { explicitBucketBoundaries: [...bounds] } });
    return histogram.record.bind(histogram);
  };
  const pass = (run: () => void) => {
    try {
      if (maySend()) run();
    } catch {
      // The SDK's failure, not ours.
    }
  };
  return {
    add: (name, value, attributes) =>
      pass(() => {
        if (!recorders.has(name)) recorders.set(name, createRecorder(name));
        recorders.get(name)?.(value, attributes);
      }),
    emit: ({ name, recordedAt, severity, attributes }) =>
      pass(() => logger?.emit({ eventName: name, timestamp: recordedAt, severityNumber: severity, attributes })),
  };
}
