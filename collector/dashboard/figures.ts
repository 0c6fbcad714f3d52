// The figures of the tiles, out of a report; pure. What cannot be added up is not added up.
import type { Report } from "../src/report-types.js";

type Latency = Report["latency"][number];
type Accuracy = Report["accuracy"][number];

export interface Figures {
  predictions: number;
  /** Share of predictions that failed; null without any. */
  errorRate: number | null;
  errors: number;
  fallbacks: number;
  dropped: number;
  /** Percentiles of several streams have no common percentile, so the tile names the slowest. */
  slowest: Latency | null;
  /** The version with the largest number of labels. */
  bestLabelled: Accuracy | null;
}

export function figuresOf(report: Report): Figures {
  const totals = totalsOf(report);
  const predictions = sum(totals);
  const errors = sum(report.errors);
  return {
    predictions,
    errors,
    errorRate: predictions + errors > 0 ? errors / (predictions + errors) : null,
    fallbacks: sum(report.fallbacks),
    dropped: sum(report.telemetry.dropped),
    slowest: totals.reduce<Latency | null>((max, one) => (max && max.p95 >= one.p95 ? max : one), null),
    bestLabelled: report.accuracy.reduce<Accuracy | null>(
      (max, one) => (one.labelled > (max?.labelled ?? 0) ? one : max),
      null,
    ),
  };
}

/** Whole predictions, the busiest first. */
export function totalsOf(report: Report): Latency[] {
  return report.latency.filter(({ stage }) => stage === "total").sort((a, b) => b.count - a.count);
}

export function isEmpty(report: Report): boolean {
  const { latency, throughput, errors, fallbacks, restarts, cache, loads, accuracy, memory } = report;
  return [latency, throughput, errors, fallbacks, restarts, cache, loads, accuracy, memory].every(
    (list) => list.length === 0,
  );
}

export function sum(list: readonly { count: number }[]): number {
  return list.reduce((total, { count }) => total + count, 0);
}

/** `digits 1.2.0 · wasm`; an empty part is left out. */
export function nameOf(model: string, version: string | null, ...rest: string[]): string {
  return [[model, version].filter(Boolean).join(" "), ...rest].filter(Boolean).join(" · ");
}
