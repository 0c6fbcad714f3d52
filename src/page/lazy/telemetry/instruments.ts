// The instruments: their names, units and buckets, after OpenTelemetry's semantic conventions.

/** Seconds: 0.01 * 2^k as in OpenTelemetry's GenAI conventions, continued down for models of a few milliseconds. */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24];
const SHARES = Array.from({ length: 19 }, (_, i) => Math.round(5 * (i + 1)) / 100);
// From a batch of small tensors to what crashes a tab.
const BYTES = [1e5, 1e6, 1e7, 3e7, 1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9];
const DEPTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
// From immediate feedback to a week.
const DELAYS = [1, 10, 60, 600, 3600, 21_600, 86_400, 259_200, 604_800];
// Around 1, in steps of about the square root of 2: from four times as fast to eight times as slow.
const RATIOS = [0.25, 0.5, 0.71, 1, 1.41, 2, 4, 8];
const EXAMPLES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

/** A histogram has bounds, a counter none. Units are UCUM's. */
export const INSTRUMENTS = {
  "ml.inference.duration": ["s", SECONDS],
  "ml.inference.stage.duration": ["s", SECONDS],
  "ml.inference.items": ["{item}"],
  "ml.inference.queue.depth": ["{request}", DEPTHS],
  "ml.model.load.duration": ["s", SECONDS],
  "ml.model.warmup.duration": ["s", SECONDS],
  "ml.model.download.io": ["By"],
  "ml.model.cache.requests": ["{request}"],
  "ml.runtime.memory.usage": ["By", BYTES],
  "ml.runtime.long_task.duration": ["s", SECONDS],
  "ml.runtime.fallbacks": ["{fallback}"],
  "ml.runtime.worker.restarts": ["{restart}"],
  "ml.errors": ["{error}"],
  "ml.prediction.outcomes": ["{prediction}"],
  "ml.prediction.confidence": ["1", SHARES],
  "ml.prediction.squared_error": ["1", SHARES],
  "ml.feedback.delay": ["s", DELAYS],
  "ml.feedback.unmatched": ["{feedback}"],
  "ml.personal.training.duration": ["s", SECONDS],
  "ml.personal.examples": ["{example}", EXAMPLES],
  "ml.personal.accuracy": ["1", SHARES],
  "ml.personal.outcomes": ["{prediction}"],
  "ml.prediction.classes": ["{prediction}"],
  "ml.input.quantile": ["1", SHARES],
  "ml.input.missing": ["{value}"],
  "ml.drift.detections": ["{detection}"],
  "ml.rollout.decisions": ["{decision}"],
  "ml.shadow.comparisons": ["{prediction}"],
  "ml.shadow.difference": ["1", SHARES],
  "ml.shadow.slowdown": ["1", RATIOS],
  "ml.telemetry.dropped": ["{record}"],
} as const satisfies Record<string, readonly [unit: string, bounds?: readonly number[]]>;

export type Instrument = keyof typeof INSTRUMENTS;
