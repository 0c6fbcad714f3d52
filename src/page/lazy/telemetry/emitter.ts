// What a mapper of records writes to: figures go into sums, events into a list; both also go to the page's own SDK.

import type { Aggregate, Exponential } from "./aggregate.js";
import { boundAttributes, type EventAttributes } from "./attributes.js";
import type { Instrument } from "./instruments.js";
import type { OtelBridge } from "./otel-bridge.js";
import { randomised, secureRandom } from "./privacy.js";
import type { TelemetryEvent, TelemetryOptions } from "./types.js";

export const INFO = 9;
export const ERROR = 17;

/** Figures that were added to sums, or events: each is dropped, and counted, by itself. */
export type Signal = "metrics" | "events";

export interface RecorderDeps extends Pick<TelemetryOptions, "sampling" | "classes" | "messages"> {
  /** Makes histograms exponential. */
  exponential?: Exponential;
  /** Of local differential privacy; undefined without. */
  epsilon?: number;
  /** No events at all. */
  sumsOnly: boolean;
  bridge?: OtelBridge;
  onDrop(signal: Signal, reason: "non_finite" | "queue_overflow"): void;
}

/** The options say whether events name classes and carry messages; `epsilon` is reported, so that readers can correct for it. */
export interface Emitter extends Pick<RecorderDeps, "classes" | "messages" | "epsilon"> {
  /** Share of predictions that become events. */
  readonly sampling: number;
  /** Adds to a sum. Attributes must come in one order each time. */
  add(instrument: Instrument, value: number, attributes: Record<string, string>): void;
  emit(name: string, attributes: EventAttributes, severity?: TelemetryEvent["severity"]): void;
  /** `value` itself or, with local differential privacy, a randomised one of `count` values. */
  randomise(value: number, count: number): number;
}

export interface RecordEmitter extends Emitter {
  /** Runs `map`; returns how many records of each signal it wrote: figures count as one together. */
  count(map: () => void): Record<Signal, number>;
}

const SAMPLING = 0.1;

export function createEmitter(
  deps: Omit<RecorderDeps, "histogram">,
  aggregate: Aggregate,
  onEvent: (event: TelemetryEvent) => void,
): RecordEmitter {
  const { epsilon, sumsOnly, bridge, onDrop } = deps;
  let metrics = 0;
  let events = 0;
  return {
    ...deps,
    sampling: deps.sampling ?? SAMPLING,
    add(instrument, value, attributes) {
      if (!aggregate.add(instrument, value, attributes)) onDrop("metrics", "non_finite");
      else {
        metrics = 1;
        bridge?.add(instrument, value, attributes);
      }
    },
    emit(name, attributes, severity = INFO) {
      if (sumsOnly) return;
      const event = { name, recordedAt: Date.now(), severity, attributes: boundAttributes(attributes) };
      bridge?.emit(event);
      events += 1;
      onEvent(event);
    },
    randomise: (value, count) => (epsilon === undefined ? value : randomised(value, count, epsilon, secureRandom)),
    count(map) {
      metrics = 0;
      events = 0;
      map();
      return { metrics, events };
    },
  };
}
