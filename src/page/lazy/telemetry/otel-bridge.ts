// Tells an OpenTelemetry SDK that the page runs anyway what is recorded, by the same names.

import { INSTRUMENTS, type Instrument } from "./instruments.js";
import type { TelemetryEvent, TelemetryOptions } from "./types.js";

export interface OtelBridge {
  add(instrument: Instrument, value: number, attributes: Record<string, string>): void;
  emit(event: TelemetryEvent): void;
}

/** Whatever the page's SDK throws stays here. */
export function createOtelBridge({ meter, logger }: NonNullable<TelemetryOptions["otel"]>): OtelBridge {
  const told = new Map<Instrument, (value: number, attributes: Record<string, string>) => void>();
  const make = (name: Instrument) => {
    const [unit, bounds]: readonly [string, (readonly number[])?] = INSTRUMENTS[name];
    if (!meter) return () => undefined;
    if (!bounds) {
      const counter = meter.createCounter(name, { unit });
      return counter.add.bind(counter);
    }
    const histogram = meter.createHistogram(name, { unit });
    return histogram.record.bind(histogram);
  };
  return {
    add(name, value, attributes) {
      try {
        if (!told.has(name)) told.set(name, make(name));
        told.get(name)?.(value, attributes);
      } catch {
        // Not ours to mend.
      }
    },
    emit({ name, recordedAt: time, severity, attributes }) {
      try {
        logger?.emit({ eventName: name, timestamp: time, severityNumber: severity, attributes });
      } catch {
        // Not ours to mend.
      }
    },
  };
}
