// Turns what the library tells into sums and events, within bounds, and counts what it drops.

import { createAggregate } from "./aggregate.js";
import { isSampled } from "./id.js";
import type { Instrument } from "./instruments.js";
import type { OtelBridge } from "./otel-bridge.js";
import { randomised, scrub, secureRandom } from "./privacy.js";
import type { FeedbackRecord, PredictedRecord, TelemetryRecord, TrainedRecord } from "./records.js";
import type { TelemetryBatch, TelemetryEvent, TelemetryOptions } from "./types.js";

/** Figures that were added to sums, or events: each is dropped, and counted, by itself. */
export type Signal = "metrics" | "events";

/** A batch, and how many records of each kind are in it. */
export interface RecorderBatch {
  batch: TelemetryBatch;
  records: Record<Signal, number>;
}

export interface Recorder {
  /** How many records it became. */
  record(record: TelemetryRecord): number;
  /** Adds to the sums what was dropped; no record itself. */
  dropped(signal: Signal, reason: string, count: number): void;
  /** True when there are as many events as one batch should hold. */
  isFull(): boolean;
  /** What was recorded since the last call; undefined when that is nothing. */
  collect(): RecorderBatch | undefined;
  /** Takes back what was cut and did not go. */
  mergeBack(cut: RecorderBatch): void;
  /** Forgets all; answers how many records that were. */
  clear(): Record<Signal, number>;
}

export interface RecorderDeps extends Pick<TelemetryOptions, "histogram" | "sampling" | "classes" | "messages"> {
  epsilon?: number;
  /** No events, whatever happens. */
  sumsOnly: boolean;
  bridge?: OtelBridge;
  onDrop(signal: Signal, reason: "non_finite" | "queue_overflow"): void;
}

const BATCH_EVENTS = 50;
// While nothing may be sent; a page that predicts 60 times a second with 10 % sampled fills it in a minute and a half.
const MAX_EVENTS = 500;
const SAMPLING = 0.1;
const STAGES = ["queue", "transfer", "preprocess", "execute", "readback", "postprocess"] as const;
const INFO = 9;
const ERROR = 17;

export function createRecorder(parts: RecorderDeps): Recorder {
  const { sampling = SAMPLING, classes, messages, epsilon, sumsOnly, bridge, onDrop } = parts;
  const aggregate = createAggregate(parts.histogram === "exponential");
  let start = Date.now();
  let figures = 0;
  let events: TelemetryEvent[] = [];
  let drops: Record<string, number> = {};
  /** What the record at hand has become. */
  let isFigure = false;
  let told = 0;

  const add = (instrument: Instrument, value: number, attributes: Record<string, string>) => {
    if (!aggregate.add(instrument, value, attributes)) onDrop("metrics", "non_finite");
    else {
      isFigure = true;
      bridge?.add(instrument, value, attributes);
    }
  };

  const tell = (name: string, attributes: Record<string, unknown>, severity: TelemetryEvent["severity"] = INFO) => {
    if (sumsOnly) return;
    const event: TelemetryEvent = { name, recordedAt: Date.now(), severity, attributes: present(attributes) };
    bridge?.emit(event);
    told += 1;
    if (events.length >= MAX_EVENTS) {
      events.shift();
      onDrop("events", "queue_overflow");
    }
    events.push(event);
  };

  const privately = (truth: number, k: number) =>
    epsilon === undefined ? truth : randomised(truth, k, epsilon, secureRandom);
  const privacy: Record<string, string> = epsilon === undefined ? {} : { "ml.privacy.epsilon": String(epsilon) };

  const predicted = ({ id, model, arm, backend, mode, timings, depth, decided, memory }: PredictedRecord) => {
    const ran = { ...versionOf(model, arm), "ml.runtime.backend": backend, "ml.inference.mode": mode };
    add("ml.inference.duration", timings.totalMs / 1000, ran);
    add("ml.inference.items", 1, ran);
    for (const stage of STAGES) {
      const staged = { "ml.model.name": model.name, "ml.runtime.backend": backend, "ml.inference.stage": stage };
      add("ml.inference.stage.duration", timings[`${stage}Ms`] / 1000, staged);
    }
    add("ml.inference.queue.depth", depth, { "ml.model.name": model.name });
    // 0 where there is no such memory.
    for (const kind of ["tensor", "wasm"] as const) if (memory?.[kind]) usage(memory[kind], kind, backend);
    if (decided) add("ml.prediction.confidence", decided.confidence, versionOf(model, arm));
    if (!isSampled(id, sampling)) return;
    tell("ml.prediction", {
      ...{ "ml.prediction.id": id, ...ran, "ml.model.digest": model.digest.slice(0, 16) },
      ...(decided && {
        "ml.prediction.class": classes ? privately(decided.class, decided.classes) : undefined,
        "ml.prediction.confidence": decided.confidence,
        "ml.prediction.margin": decided.margin,
        "ml.prediction.entropy": decided.entropy,
      }),
      ...{ "ml.inference.duration": timings.totalMs / 1000, "ml.sampling.probability": sampling, ...privacy },
    });
  };

  const usage = (bytes: number, kind: string, backend?: string) =>
    add("ml.runtime.memory.usage", bytes, {
      ...(backend && { "ml.runtime.backend": backend }),
      "ml.memory.kind": kind,
    });

  const feedback = (record: FeedbackRecord) => {
    const { id, model, arm, correct, classes: k, squaredError, delayMs, source } = record;
    const outcome = privately(correct ? 1 : 0, 2) === 1 ? "correct" : "incorrect";
    const version = versionOf(model, arm);
    add("ml.prediction.outcomes", 1, { ...version, "ml.prediction.outcome": outcome, ...privacy });
    // It would tell what the randomised outcome hides.
    if (epsilon === undefined && squaredError !== undefined) add("ml.prediction.squared_error", squaredError, version);
    add("ml.feedback.delay", delayMs / 1000, { "ml.model.name": model.name });
    if (!isSampled(id, sampling)) return;
    tell("ml.feedback", {
      ...{ "ml.prediction.id": id, ...version, "ml.prediction.outcome": outcome },
      "ml.feedback.class": classes && record.class !== undefined ? privately(record.class, k) : undefined,
      ...{ "ml.feedback.source": source, "ml.feedback.delay": delayMs / 1000, ...privacy },
    });
  };

  const trained = ({ model, trigger, outcome, durationMs: milliseconds, examples, accuracy }: TrainedRecord) => {
    const base = { "ml.model.name": model };
    const training = { ...base, "ml.retrain.trigger": trigger, "ml.retrain.outcome": outcome };
    add("ml.personal.training.duration", milliseconds / 1000, training);
    if (examples !== undefined) add("ml.personal.examples", examples, base);
    if (accuracy !== undefined) add("ml.personal.accuracy", accuracy, base);
    if (trigger !== "asked") tell("ml.retrain.requested", training);
  };

  const take = (record: TelemetryRecord) => {
    switch (record.kind) {
      case "predicted":
        return predicted(record);
      case "feedback":
        return feedback(record);
      case "failed": {
        const { stage, errorType, model, backend, durationMs: milliseconds = 0, message } = record;
        const type = { "error.type": errorType };
        add("ml.errors", 1, { ...type, "ml.inference.stage": stage });
        const version = model && versionOf(model, "stable");
        const ran = { ...version, ...(backend && { "ml.runtime.backend": backend }) };
        if (model && stage === "predict")
          add("ml.inference.duration", milliseconds / 1000, { ...ran, "ml.inference.mode": "online", ...type });
        const said = messages ? scrub(message) : undefined;
        const exception = { "exception.type": "InsituError", "exception.message": said, "ml.inference.stage": stage };
        return tell("ml.inference.exception", { ...type, ...ran, ...exception }, ERROR);
      }
      case "loaded": {
        const { model, backend, source, durationMs: milliseconds, warmupMs, downloaded } = record;
        const version = { "ml.model.name": model.name, "ml.model.version": model.version };
        add("ml.model.load.duration", milliseconds / 1000, { ...version, "ml.model.source": source });
        if (warmupMs > 0)
          add("ml.model.warmup.duration", warmupMs / 1000, {
            "ml.model.name": model.name,
            "ml.runtime.backend": backend,
          });
        if (downloaded > 0) add("ml.model.download.io", downloaded, version);
        const how = { "ml.runtime.backend": backend, "ml.model.source": source };
        return tell("ml.model.loaded", { ...version, ...how, "ml.model.load.duration": milliseconds / 1000 });
      }
      case "cache":
        return add("ml.model.cache.requests", 1, { "ml.cache.result": record.result });
      case "fellBack": {
        const { from, to, errorType } = record;
        const fallback = { "ml.fallback.from": from, "ml.fallback.to": to, "error.type": errorType };
        add("ml.runtime.fallbacks", 1, fallback);
        return tell("ml.runtime.fallback", fallback);
      }
      case "restarted":
        return add("ml.runtime.worker.restarts", 1, { "ml.restart.reason": record.reason });
      case "storage":
        return usage(record.bytes, "storage");
      case "longTask":
        return add("ml.runtime.long_task.duration", record.milliseconds / 1000, { "ml.model.name": record.model });
      case "trained":
        return trained(record);
      case "personalFeedback": {
        const outcome = privately(record.correct ? 1 : 0, 2) === 1 ? "correct" : "incorrect";
        const told = { "ml.model.name": record.model, "ml.prediction.outcome": outcome, ...privacy };
        return add("ml.personal.outcomes", 1, told);
      }
      case "unmatched":
        return add("ml.feedback.unmatched", 1, { "ml.model.name": record.model });
      default:
        return record satisfies never;
    }
  };

  return {
    record(record) {
      isFigure = false;
      told = 0;
      take(record);
      if (isFigure) figures += 1;
      return told + (isFigure ? 1 : 0);
    },
    dropped(signal, reason, count) {
      const attributes = { "ml.telemetry.signal": signal, "ml.telemetry.drop_reason": reason };
      aggregate.add("ml.telemetry.dropped", count, attributes);
      drops[`${signal}.${reason}`] = (drops[`${signal}.${reason}`] ?? 0) + count;
    },
    isFull: () => events.length >= BATCH_EVENTS,
    collect() {
      const metrics = aggregate.take();
      const now = Date.now();
      const records = { metrics: figures, events: events.length };
      const all = events;
      if (Object.keys(drops).length > 0 && !sumsOnly)
        all.push({ name: "ml.telemetry.report", recordedAt: now, severity: INFO, attributes: drops });
      // A clock that was set back must not make a batch end before it began.
      const batch = { startedAt: Math.min(start, now), endedAt: now, metrics, events: all };
      start = now;
      figures = 0;
      events = [];
      drops = {};
      return metrics.length + all.length > 0 ? { batch, records } : undefined;
    },
    mergeBack({ batch, records }) {
      aggregate.merge(batch.metrics);
      events.unshift(...batch.events);
      start = Math.min(start, batch.startedAt);
      figures += records.metrics;
    },
    clear() {
      const records = { metrics: figures, events: events.length };
      aggregate.take();
      figures = 0;
      events = [];
      return records;
    },
  };
}

function versionOf({ name, version }: { name: string; version: string }, arm: string) {
  return { "ml.model.name": name, "ml.model.version": version, "ml.rollout.arm": arm };
}

const MAX_CHARS = 128;

/** Without what is missing or not finite; texts cut. */
function present(attributes: Record<string, unknown>): TelemetryEvent["attributes"] {
  const kept: TelemetryEvent["attributes"] = {};
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "string") kept[key] = key === "exception.message" ? value : value.slice(0, MAX_CHARS);
    else if (typeof value === "boolean" || Number.isFinite(value)) kept[key] = value as number | boolean;
  }
  return kept;
}
