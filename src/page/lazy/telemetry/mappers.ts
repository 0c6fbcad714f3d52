// Maps each kind of record to figures and events: which instruments it adds to, with which attributes.

import type { ModelRef } from "../../../shared/types/model.js";
import { type Emitter, ERROR } from "./emitter.js";
import { scrub } from "./privacy.js";
import type { Arm, RecordOf, TelemetryRecord } from "./records.js";
import { isSampled } from "./sampling.js";

type Kind = TelemetryRecord["kind"];

const STAGES = ["queue", "transfer", "preprocess", "execute", "readback", "postprocess"] as const;

// More classes would be more streams than a sum has.
const MAX_CLASSES = 100;
// As many as the histogram of quantiles has.
const QUANTILE_BINS = 20;

/** A new kind of record is one entry here. */
const MAPPERS: { readonly [K in Kind]: (to: Emitter, record: RecordOf<K>) => void } = {
  predicted(to, { id, model, arm, backend, mode, timings, depth, decided, memory }) {
    const version = versionOf(model, arm);
    const run = { ...version, "ml.runtime.backend": backend, "ml.inference.mode": mode };
    const seconds = timings.totalMs / 1000;
    to.add("ml.inference.duration", seconds, run);
    to.add("ml.inference.items", 1, run);
    for (const stage of STAGES) {
      const attributes = { "ml.model.name": model.name, "ml.runtime.backend": backend, "ml.inference.stage": stage };
      to.add("ml.inference.stage.duration", timings[`${stage}Ms`] / 1000, attributes);
    }
    to.add("ml.inference.queue.depth", depth, { "ml.model.name": model.name });
    // 0 where the backend has no such memory.
    for (const kind of ["tensor", "wasm"] as const)
      if (memory?.[kind])
        to.add("ml.runtime.memory.usage", memory[kind], { "ml.runtime.backend": backend, "ml.memory.kind": kind });
    if (decided) to.add("ml.prediction.confidence", decided.confidence, version);
    // Randomised once: two random values of one class would tell more about it than epsilon allows.
    const predicted = to.classes && decided ? to.randomise(decided.class, decided.classes) : undefined;
    if (predicted !== undefined && decided && decided.classes <= MAX_CLASSES)
      to.add("ml.prediction.classes", 1, {
        ...version,
        "ml.prediction.class": String(predicted),
        ...privacyOf(to),
      });
    if (!isSampled(id, to.sampling)) return;
    to.emit("ml.prediction", {
      "ml.prediction.id": id,
      ...run,
      "ml.model.digest": model.digest.slice(0, 16),
      "ml.prediction.class": predicted,
      "ml.prediction.confidence": decided?.confidence,
      "ml.prediction.margin": decided?.margin,
      "ml.prediction.entropy": decided?.entropy,
      "ml.inference.duration": seconds,
      "ml.sampling.probability": to.sampling,
      ...privacyOf(to),
    });
  },
  feedback(to, { id, model, arm, correct, classes, squaredError, delayMs, source, class: trueClass }) {
    const outcome = outcomeOf(to, correct);
    const version = versionOf(model, arm);
    to.add("ml.prediction.outcomes", 1, { ...version, "ml.prediction.outcome": outcome, ...privacyOf(to) });
    // With local differential privacy it would reveal what the randomised outcome hides.
    if (to.epsilon === undefined && squaredError !== undefined)
      to.add("ml.prediction.squared_error", squaredError, version);
    to.add("ml.feedback.delay", delayMs / 1000, { "ml.model.name": model.name });
    if (!isSampled(id, to.sampling)) return;
    to.emit("ml.feedback", {
      "ml.prediction.id": id,
      ...version,
      "ml.prediction.outcome": outcome,
      "ml.feedback.class": to.classes && trueClass !== undefined ? to.randomise(trueClass, classes) : undefined,
      "ml.feedback.source": source,
      "ml.feedback.delay": delayMs / 1000,
      ...privacyOf(to),
    });
  },
  failed(to, { stage, errorType, model, backend, durationMs = 0, message }) {
    const type = { "error.type": errorType };
    to.add("ml.errors", 1, { ...type, "ml.inference.stage": stage });
    const run = { ...(model && versionOf(model, model.arm)), ...(backend && { "ml.runtime.backend": backend }) };
    if (model && stage === "predict")
      to.add("ml.inference.duration", durationMs / 1000, { ...run, "ml.inference.mode": "online", ...type });
    const attributes = {
      ...type,
      ...run,
      "exception.type": "InsituError",
      "exception.message": to.messages ? scrub(message) : undefined,
      "ml.inference.stage": stage,
    };
    to.emit("ml.inference.exception", attributes, ERROR);
  },
  loaded(to, { model, backend, source, durationMs, warmupMs, downloaded }) {
    const version = { "ml.model.name": model.name, "ml.model.version": model.version };
    to.add("ml.model.load.duration", durationMs / 1000, { ...version, "ml.model.source": source });
    if (warmupMs > 0)
      to.add("ml.model.warmup.duration", warmupMs / 1000, {
        "ml.model.name": model.name,
        "ml.runtime.backend": backend,
      });
    if (downloaded > 0) to.add("ml.model.download.io", downloaded, version);
    to.emit("ml.model.loaded", {
      ...version,
      "ml.runtime.backend": backend,
      "ml.model.source": source,
      "ml.model.load.duration": durationMs / 1000,
    });
  },
  trained(to, { model, trigger, outcome, durationMs, examples, accuracy }) {
    const base = { "ml.model.name": model };
    const training = { ...base, "ml.retrain.trigger": trigger, "ml.retrain.outcome": outcome };
    to.add("ml.personal.training.duration", durationMs / 1000, training);
    if (examples !== undefined) to.add("ml.personal.examples", examples, base);
    if (accuracy !== undefined) to.add("ml.personal.accuracy", accuracy, base);
    if (trigger !== "asked") to.emit("ml.retrain.requested", training);
  },
  personalFeedback: (to, { model, correct }) =>
    to.add("ml.personal.outcomes", 1, {
      "ml.model.name": model,
      "ml.prediction.outcome": outcomeOf(to, correct),
      ...privacyOf(to),
    }),
  rollout(to, { model, arm, action, reason, from }) {
    const decision = { ...versionOf(model, arm), "ml.rollout.action": action, "ml.rollout.reason": reason };
    to.add("ml.rollout.decisions", 1, decision);
    to.emit("ml.rollout.decision", { ...decision, "ml.rollout.from": from });
  },
  shadow(to, { model, result, difference, slowdown }) {
    const version = versionOf(model, "shadow");
    to.add("ml.shadow.comparisons", 1, { ...version, "ml.shadow.result": result });
    if (difference !== undefined) to.add("ml.shadow.difference", difference, version);
    if (slowdown !== undefined) to.add("ml.shadow.slowdown", slowdown, version);
  },
  drift(to, { model, arm, detector, target, n, since, statistic, threshold }) {
    const drift = { ...versionOf(model, arm), "ml.drift.detector": detector, "ml.drift.target": target };
    to.add("ml.drift.detections", 1, drift);
    to.emit("ml.drift.detected", {
      ...drift,
      "ml.drift.n": n,
      "ml.drift.since": since,
      "ml.drift.statistic": statistic,
      "ml.drift.threshold": threshold,
    });
  },
  inputs(to, { model, arm, quantiles, missing }) {
    const of = (feature: string) => ({
      ...versionOf(model, arm),
      "ml.input.feature": feature.slice(0, 64),
      ...privacyOf(to),
    });
    for (const [feature, quantile] of Object.entries(quantiles))
      to.add("ml.input.quantile", to.epsilon === undefined ? quantile : randomQuantile(to, quantile), of(feature));
    for (const feature of missing)
      if (to.epsilon === undefined) to.add("ml.input.missing", 1, of(feature));
      // With local differential privacy a missing value looks like any other: it becomes a quantile that says nothing.
      else to.add("ml.input.quantile", randomQuantile(to, Math.random()), of(feature));
  },
  cache: (to, { result }) => to.add("ml.model.cache.requests", 1, { "ml.cache.result": result }),
  fellBack(to, { from, to: target, errorType }) {
    const fallback = { "ml.fallback.from": from, "ml.fallback.to": target, "error.type": errorType };
    to.add("ml.runtime.fallbacks", 1, fallback);
    to.emit("ml.runtime.fallback", fallback);
  },
  restarted: (to, { reason }) => to.add("ml.runtime.worker.restarts", 1, { "ml.restart.reason": reason }),
  storage: (to, { bytes }) => to.add("ml.runtime.memory.usage", bytes, { "ml.memory.kind": "storage" }),
  longTask: (to, { durationMs, model }) =>
    to.add("ml.runtime.long_task.duration", durationMs / 1000, { "ml.model.name": model }),
  unmatched: (to, { model }) => to.add("ml.feedback.unmatched", 1, { "ml.model.name": model }),
};

/** Writes what a record says to `to`. */
export function mapRecord(record: TelemetryRecord, to: Emitter): void {
  const map = MAPPERS[record.kind] as (to: Emitter, record: TelemetryRecord) => void;
  map(to, record);
}

/** Without a rollout a version is the stable one. */
function versionOf({ name, version }: Pick<ModelRef, "name" | "version">, arm: Arm = "stable") {
  return { "ml.model.name": name, "ml.model.version": version, "ml.rollout.arm": arm };
}

/** The middle of a bin, so that nothing but the bin is told. */
function randomQuantile(to: Emitter, quantile: number): number {
  const bin = Math.min(QUANTILE_BINS - 1, Math.floor(quantile * QUANTILE_BINS));
  return (to.randomise(bin, QUANTILE_BINS) + 0.5) / QUANTILE_BINS;
}

function outcomeOf(to: Emitter, correct: boolean): "correct" | "incorrect" {
  return to.randomise(correct ? 1 : 0, 2) === 1 ? "correct" : "incorrect";
}

function privacyOf({ epsilon }: Emitter): Record<string, string> {
  return epsilon === undefined ? {} : { "ml.privacy.epsilon": String(epsilon) };
}
