// Invents a report that looks like one of a real week, for the dashboard's tests: the same question, the same answer.
import type { Report, Spread, ValueRange } from "../../src/report-types.js";
import { BOUNDS } from "./otlp.js";

export interface Question {
  from: number;
  to: number;
  step: number;
  model?: string;
  version?: string;
  backend?: string;
}

/** Model, version, arm, backend, count, p50, p95, p99 in seconds. */
const STREAMS = [
  ["digits", "1.2.0", "stable", "webgpu", 8214, 0.0031, 0.0078, 0.0156],
  ["digits", "1.2.0", "stable", "wasm", 3120, 0.0092, 0.021, 0.038],
  ["digits", "1.3.0", "canary", "webgpu", 940, 0.0028, 0.0071, 0.0129],
  ["objects", "2.0.1", "stable", "webgpu", 1506, 0.041, 0.094, 0.152],
  ["objects", "2.0.1", "stable", "wasm", 402, 0.31, 0.62, 1.12],
] as const;

/** Of a prediction's p50 and p95, by stage. */
const STAGES = [
  ["queue", 0.04, 0.12],
  ["transfer", 0.06, 0.07],
  ["preprocess", 0.14, 0.13],
  ["execute", 0.62, 0.6],
  ["readback", 0.1, 0.12],
  ["postprocess", 0.03, 0.03],
] as const;

const ERRORS = [
  ["timeout", "execute", 21],
  ["network", "load", 12],
  ["device_lost", "execute", 9],
  ["backend_unavailable", "load", 5],
] as const;

/** Model, version, arm, labelled, correct, Brier, estimate, its standard error, its n. */
const JUDGED = [
  ["digits", "1.2.0", "stable", 1000, 967, 0.0264, 0.9631, 0.0017, 11334],
  ["digits", "1.3.0", "canary", 212, 209, 0.0151, 0.9762, 0.0046, 940],
  ["objects", "2.0.1", "stable", 64, 51, 0.148, 0.8112, 0.0081, 1908],
] as const;

/** Model, version, arm, predictions, share, failed, p50, p95, accuracy. */
const ARMS = [
  ["digits", "1.2.0", "stable", 11_381, 0.9237, 47, 0.0048, 0.0142, 0.967],
  ["digits", "1.3.0", "canary", 940, 0.0763, 2, 0.0028, 0.0071, 0.986],
  ["objects", "2.0.1", "stable", 1908, 1, 9, 0.11, 0.32, 0.797],
] as const;

const DECISIONS = [
  ["digits", "1.3.0", "canary", "assigned", "weight", 61],
  ["digits", "1.3.0", "canary", "swapped", "release", 44],
  ["digits", "1.3.0", "canary", "rolled_back", "latency", 5],
  ["digits", "1.3.0", "canary", "rolled_back", "crashes", 1],
] as const;

/** Pages with wasm send explicit buckets and tell no maximum, those with WebGPU exponential ones. */
function spreadOf(backend: string, count: number, p50: number, p95: number, p99: number): Spread {
  const around = (value: number): ValueRange => {
    if (backend !== "wasm") return [value * 0.96, value * 1.04];
    const i = BOUNDS.findIndex((bound) => value <= bound);
    return i < 0 ? [BOUNDS.at(-1) ?? 0, null] : [BOUNDS[i - 1] ?? 0, BOUNDS[i] ?? null];
  };
  const max: ValueRange = backend === "wasm" ? around(p99 * 1.3) : [p99 * 1.3, p99 * 1.3];
  return { count, p50, p95, p99, ranges: { p50: around(p50), p95: around(p95), p99: around(p99) }, max };
}

export function reportFor(question: Question, more = 0): Report {
  const { from, to, step, model, version, backend } = question;
  const times = Array.from({ length: Math.floor((to - from) / step) }, (_, index) => from + index * step);
  const fits = (m: string, v: string | null, b: string | null) =>
    (!model || m === model) && (!version || v === null || v === version) && (!backend || b === null || b === backend);
  const streams = STREAMS.filter(([m, v, , b]) => fits(m, v, b)).map(
    ([m, v, arm, b, count, ...rest], index) => [m, v, arm, b, count + (index === 0 ? more : 0), ...rest] as const,
  );
  return {
    from,
    to,
    step,
    models: [
      { name: "digits", versions: ["1.2.0", "1.3.0"], backends: ["webgpu", "wasm"] },
      { name: "objects", versions: ["2.0.1"], backends: ["webgpu", "wasm"] },
    ],
    latency: [
      ...streams.map(([m, v, , b, count, p50, p95, p99], seed) => ({
        stage: "total",
        model: m,
        version: v,
        backend: b,
        ...spreadOf(b, count, p50, p95, p99),
        points: split(times, count, seed).map(({ time, count: n }) => {
          const sway = 1 + 0.18 * wave(time / step, seed + 1);
          const middle = p95 * sway * (1 + 0.1 * wave(time / step, seed + 9));
          return { time, ...spreadOf(b, n, p50 * sway, middle, p99 * sway) };
        }),
      })),
      ...streams
        .filter(([, v]) => v !== "1.3.0")
        .flatMap(([m, , , b, count, p50, p95]) =>
          STAGES.map(([stage, low, high]) => ({
            stage,
            model: m,
            version: null,
            backend: b,
            ...spreadOf(b, count, p50 * low, p95 * high, p95 * high * 1.7),
            points: [],
          })),
        ),
    ],
    throughput: streams
      .filter(([, v]) => v !== "1.3.0")
      .map(([m, , , b, count], seed) => ({
        model: m,
        backend: b,
        items: count,
        points: split(times, count, seed).map(({ time, count: items }) => ({ time, items })),
      })),
    errors: ERRORS.map(([type, stage, count], seed) => ({
      type,
      stage,
      count,
      points: split(times, count, seed + 3).filter((point) => point.count > 0),
    })),
    fallbacks: [
      { from: "webgpu", to: "wasm", type: "backend_unavailable", count: 31 },
      { from: "wasm", to: "cpu", type: "out_of_memory", count: 4 },
    ],
    restarts: [
      { reason: "watchdog", count: 3 },
      { reason: "device_lost", count: 9 },
    ],
    cache: [
      { result: "hit", count: 1204 },
      { result: "miss", count: 311 },
      { result: "evicted", count: 18 },
    ],
    loads: [
      { model: "digits", version: "1.2.0", source: "cache", ...spreadOf("wasm", 1009, 0.041, 0.12, 0.18) },
      { model: "digits", version: "1.2.0", source: "network", ...spreadOf("wasm", 240, 0.38, 1.7, 2.55) },
      { model: "objects", version: "2.0.1", source: "network", ...spreadOf("wasm", 71, 2.4, 7.9, 11.85) },
      { model: "objects", version: "2.0.1", source: "cache", ...spreadOf("wasm", 195, 0.31, 0.74, 1.11) },
    ].filter((one) => fits(one.model, one.version, null)),
    accuracy: JUDGED.filter(([m, v]) => fits(m, v, null)).map(
      ([m, v, arm, labelled, correct, brier, estimate, standardError, n], seed) => ({
        model: m,
        version: v,
        arm,
        labelled,
        correct,
        accuracy: correct / labelled,
        brier,
        ...wilson(correct, labelled),
        estimate: { accuracy: estimate, standardError, n },
        points: judge(split(times, labelled, seed + 20), split(times, labelled - correct, seed + 31)),
      }),
    ),
    memory: [
      { backend: "webgpu", kind: "tensor", count: 402, mean: 18_400_000, max: [61_200_000, 61_200_000] },
      { backend: "wasm", kind: "wasm", count: 161, mean: 92_000_000, max: [100_000_000, 200_000_000] },
      { backend: "webgpu", kind: "storage", count: 402, mean: 27_900_000, max: [41_000_000, 41_000_000] },
    ],
    arms: ARMS.filter(([m, v]) => fits(m, v, null)).map(([m, v, arm, n, share, failed, p50, p95, right], seed) => {
      const latency = spreadOf("wasm", n - failed, p50, p95, p95 * 1.6);
      const judged = JUDGED.find(([model, version]) => model === m && version === v);
      const labelled = judged?.[3] ?? 0;
      const correct = Math.round(labelled * right);
      return {
        model: m,
        version: v,
        arm,
        predictions: n,
        share,
        errors: { count: failed, ...wilson(failed, n) },
        latency: { ...latency, intervals: latency.ranges },
        accuracy: { labelled, correct, ...(labelled > 0 ? wilson(correct, labelled) : { low: 0, high: 1 }) },
        points: split(times, n, seed + 40).map(({ time, count: predictions }) => ({ time, predictions })),
      };
    }),
    decisions: DECISIONS.map(([m, v, arm, action, reason, count]) => ({
      model: m,
      version: v,
      arm,
      action,
      reason,
      count,
    })).filter((one) => fits(one.model, one.version, null)),
    shadows: [
      {
        model: "digits",
        version: "1.4.0-rc.1",
        agree: 918,
        disagree: 22,
        failed: 3,
        ...wilson(918, 940),
        difference: 0.0143,
        slowdown: spreadOf("wasm", 940, 1.2, 1.9, 3.1),
      },
    ].filter((one) => fits(one.model, one.version, null)),
    detections: [
      { model: "digits", version: "1.2.0", arm: "stable", detector: "page_hinkley", target: "confidence", count: 14 },
      { model: "digits", version: "1.2.0", arm: "stable", detector: "ddm", target: "error", count: 3 },
    ],
    telemetry: {
      dropped: [
        { signal: "metrics", reason: "queue_overflow", count: 14 },
        { signal: "logs", reason: "rate_limited", count: 122 },
      ],
      batches: 2311,
      duplicates: 17,
    },
    hidden: 3,
    minBatches: 20,
  };
}

/** What a collector says that nobody has sent anything. */
export function emptyReport({ from, to, step }: Question): Report {
  return {
    from,
    to,
    step,
    models: [],
    latency: [],
    throughput: [],
    errors: [],
    fallbacks: [],
    restarts: [],
    cache: [],
    loads: [],
    accuracy: [],
    memory: [],
    arms: [],
    decisions: [],
    shadows: [],
    detections: [],
    telemetry: { dropped: [], batches: 0, duplicates: 0 },
    hidden: 0,
    minBatches: 20,
  };
}

/** Between -1 and 1, smooth, without a visible period. */
function wave(at: number, seed: number): number {
  return (
    (Math.sin(at / 5 + seed * 2.3) + Math.sin(at / 2.3 + seed) * 0.5 + Math.sin(at * 1.7 + seed * 4) * 0.35) / 1.85
  );
}

/** Whole numbers that add up to the total, so that plots and sums say the same. */
function split(times: readonly number[], total: number, seed: number): { time: number; count: number }[] {
  const weights = times.map((_, index) => 1.3 + wave(index, seed));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  let given = 0;
  return times.map((time, index) => {
    before += weights[index] ?? 0;
    const count = Math.round((total * before) / all) - given;
    given += count;
    return { time, count };
  });
}

/** As many wrong ones as planned; where a step has fewer labels, the rest is for the next. */
function judge(labels: { time: number; count: number }[], wrong: { count: number }[]) {
  let owed = 0;
  const points = labels.map(({ time, count: labelled }, index) => {
    owed += wrong[index]?.count ?? 0;
    const missed = Math.min(labelled, owed);
    owed -= missed;
    return { time, labelled, correct: labelled - missed, ...wilson(labelled - missed, labelled) };
  });
  return points.filter(({ labelled }) => labelled > 0);
}

export function wilson(correct: number, n: number): { low: number; high: number } {
  const z = 1.959963984540054;
  const p = correct / n;
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
