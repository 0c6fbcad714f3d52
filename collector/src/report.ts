// Puts together what the dashboard shows: latency, throughput, faults and accuracy over a span of time; pure but for its two questions.
import type { Series } from "./records.js";
import {
  bucketsOf,
  counts,
  type Group,
  type Grown,
  groupBy,
  grouped,
  type Named,
  named,
  spread,
  steps,
  total,
} from "./report-groups.js";
import type { Report } from "./report-types.js";
import type { Slot, Span } from "./slots.js";
import { truthOf, wilson } from "./statistics.js";

export interface ReportQuery extends Span {
  model?: string;
  version?: string;
  backend?: string;
}

export interface ReportDeps {
  /** All series, each with its number. */
  series: readonly (Series & { id: number })[];
  slots(ids: readonly number[], span: Span): Promise<Slot[]>;
  batchCounts(ids: readonly number[]): Promise<Map<number, number>>;
  /** A cell (model x version x arm x backend) of which fewer batches speak is left out: it may be one person. */
  minBatches: number;
  batches: number;
  duplicates: number;
}

const MODEL = "ml.model.name";
const VERSION = "ml.model.version";
const ARM = "ml.rollout.arm";
const BACKEND = "ml.runtime.backend";

export async function makeReport(query: ReportQuery, parts: ReportDeps): Promise<Report> {
  const all = parts.series.map(({ id, metric, attributes }) => ({ id, metric, at: named(attributes) }));
  const items = all.filter(({ metric }) => metric.name === "ml.inference.items");
  const cells = await cellsOf(items, parts);
  const isShown = (at: Named) =>
    cells.shown.some((cell) => KEYS.every((key) => at[key] === undefined || at[key] === cell[key]));
  const isAsked = (at: Named) =>
    [
      [MODEL, query.model],
      [VERSION, query.version],
      [BACKEND, query.backend],
    ].every(([key, wanted]) => wanted === undefined || at[key as string] === undefined || at[key as string] === wanted);
  const wanted = all.filter(({ at }) => isAsked(at) && (at[MODEL] === undefined || isShown(at)));
  const slots = groupBy(
    await parts.slots(
      wanted.map(({ id }) => id),
      query,
    ),
    ({ id }) => id,
  );
  const of = (name: string): Grown[] =>
    wanted
      .filter(({ metric }) => metric.name === name)
      .map(({ id, metric, at }) => ({ at, bounds: metric.bounds, slots: slots.get(id) ?? [] }))
      .filter((one) => one.slots.length > 0);
  const { from, to, step } = query;
  return {
    ...{ from, to, step },
    models: modelsOf(cells.shown),
    latency: [
      ...latency(
        of("ml.inference.duration").filter(({ at }) => !at["error.type"]),
        query,
      ),
      ...latency(of("ml.inference.stage.duration"), query),
    ],
    throughput: grouped(of("ml.inference.items"), [MODEL, BACKEND]).map(({ at, grown }) => ({
      ...{ model: at[MODEL] ?? "", backend: at[BACKEND] ?? "", items: total(grown, "sum") },
      points: steps(grown, query, (some) => ({ items: total(some, "sum") })),
    })),
    errors: grouped(of("ml.errors"), ["error.type", "ml.inference.stage"]).map(({ at, grown }) => ({
      ...{ type: at["error.type"] ?? "", stage: at["ml.inference.stage"] ?? "", count: total(grown, "sum") },
      points: steps(grown, query, (some) => ({ count: total(some, "sum") })),
    })),
    fallbacks: grouped(of("ml.runtime.fallbacks"), ["ml.fallback.from", "ml.fallback.to", "error.type"]).map(
      ({ at, grown }) => ({
        ...{ from: at["ml.fallback.from"] ?? "", to: at["ml.fallback.to"] ?? "", type: at["error.type"] ?? "" },
        count: total(grown, "sum"),
      }),
    ),
    restarts: counts(of("ml.runtime.worker.restarts"), "ml.restart.reason").map(([reason, count]) => ({
      reason,
      count,
    })),
    cache: counts(of("ml.model.cache.requests"), "ml.cache.result").map(([result, count]) => ({ result, count })),
    loads: grouped(of("ml.model.load.duration"), [MODEL, VERSION, "ml.model.source"]).map(({ at, grown }) => {
      const { count, p50, p95 } = spread(grown);
      return {
        model: at[MODEL] ?? "",
        version: at[VERSION] ?? "",
        source: at["ml.model.source"] ?? "",
        count,
        p50,
        p95,
      };
    }),
    accuracy: accuracy(of, query),
    memory: grouped(of("ml.runtime.memory.usage"), [BACKEND, "ml.memory.kind"]).map(({ at, grown }) => {
      const count = total(grown, "count");
      const [bounds, buckets] = [grown[0]?.bounds ?? [], bucketsOf(grown)];
      const highest = buckets.findLastIndex((one) => one > 0);
      const max = bounds[Math.min(highest, bounds.length - 1)] ?? 0;
      return {
        backend: at[BACKEND] ?? "",
        kind: at["ml.memory.kind"] ?? "",
        count,
        mean: total(grown, "sum") / count,
        max,
      };
    }),
    telemetry: {
      dropped: grouped(of("ml.telemetry.dropped"), ["ml.telemetry.signal", "ml.telemetry.drop_reason"]).map(
        ({ at, grown }) => ({
          ...{ signal: at["ml.telemetry.signal"] ?? "", reason: at["ml.telemetry.drop_reason"] ?? "" },
          count: total(grown, "sum"),
        }),
      ),
      ...{ batches: parts.batches, duplicates: parts.duplicates },
    },
    hidden: cells.hidden,
    minBatches: parts.minBatches,
  };
}

const KEYS = [MODEL, VERSION, ARM, BACKEND];

async function cellsOf(items: { id: number; at: Named }[], { batchCounts, minBatches }: ReportDeps) {
  const batches = await batchCounts(items.map(({ id }) => id));
  const cells = [...groupBy(items, ({ at }) => JSON.stringify(KEYS.map((key) => at[key]))).values()];
  // Series of a cell differ in their mode; one batch may have a point in each.
  const isShown = (cell: typeof items) => Math.max(...cell.map(({ id }) => batches.get(id) ?? 0)) >= minBatches;
  const shown = cells.filter(isShown).map((cell) => cell[0]?.at ?? {});
  return { shown, hidden: cells.length - shown.length };
}

function modelsOf(cells: Named[]): Report["models"] {
  const values = (some: Named[], key: string) => [...new Set(some.flatMap((at) => at[key] ?? []))].sort();
  return [...groupBy(cells, (at) => at[MODEL] ?? "")]
    .map(([name, some]) => ({ name, versions: values(some, VERSION), backends: values(some, BACKEND) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function latency(series: Grown[], span: Span): Report["latency"] {
  return grouped(series, ["ml.inference.stage", MODEL, VERSION, BACKEND]).map(({ at, grown }) => ({
    ...{ stage: at["ml.inference.stage"] ?? "total", model: at[MODEL] ?? "", version: at[VERSION] ?? null },
    ...{ backend: at[BACKEND] ?? "", ...spread(grown), points: steps(grown, span, spread) },
  }));
}

function accuracy(of: (name: string) => Grown[], span: Span): Report["accuracy"] {
  const cell = [MODEL, VERSION, ARM];
  const outcomes = grouped(of("ml.prediction.outcomes"), cell);
  const errors = grouped(of("ml.prediction.squared_error"), cell);
  const confidences = grouped(of("ml.prediction.confidence"), cell);
  const cells = new Map([...outcomes, ...confidences].map(({ key, at }) => [key, at]));
  return [...cells].map(([key, at]) => {
    const find = (groups: Group[]) => groups.find((group) => group.key === key)?.grown ?? [];
    const judged = find(outcomes);
    const squared = find(errors);
    const { labelled, correct, low, high } = share(judged);
    return {
      ...{ model: at[MODEL] ?? "", version: at[VERSION] ?? "", arm: at[ARM] ?? "", labelled, correct, low, high },
      accuracy: labelled > 0 ? correct / labelled : null,
      brier: squared.length > 0 ? total(squared, "sum") / total(squared, "count") : null,
      estimate: estimate(find(confidences)),
      points: steps(judged, span, share),
    };
  });
}

/** Of outcomes; those that were answered at random are counted as what they stand for. */
function share(grown: Grown[]): { labelled: number; correct: number; low: number; high: number } {
  const parts = [...groupBy(grown, ({ at }) => at["ml.privacy.epsilon"] ?? "")].map(([text, some]) => {
    const labelled = total(some, "sum");
    const answered = total(
      some.filter(({ at }) => at["ml.prediction.outcome"] === "correct"),
      "sum",
    );
    const truth = (value: number) => (text === "" ? value : truthOf(value, Number(text)));
    const [low, high] = wilson(answered, labelled).map(truth);
    return {
      labelled,
      correct: labelled > 0 ? truth(answered / labelled) * labelled : 0,
      low: low ?? 0,
      high: high ?? 1,
    };
  });
  const labelled = parts.reduce((sum, part) => sum + part.labelled, 0);
  const correct = parts.reduce((sum, part) => sum + part.correct, 0);
  const [only] = parts;
  // Of several epsilons the interval is that of the whole as if nothing were random, which is too narrow; sites have one.
  const [low, high] = parts.length === 1 && only ? [only.low, only.high] : wilson(correct, labelled);
  return { labelled, correct, low, high };
}

/** The mean confidence is exact; its spread within a bucket is not known, and the bucket's middle stands for it. */
function estimate(grown: Grown[]): Report["accuracy"][number]["estimate"] {
  const n = total(grown, "count");
  if (n === 0) return null;
  const bounds = grown[0]?.bounds ?? [];
  const variance = bucketsOf(grown).reduce((sum, count, i) => {
    const middle = ((i === 0 ? 0 : (bounds[i - 1] as number)) + (bounds[i] ?? 1)) / 2;
    return sum + count * middle * (1 - middle);
  }, 0);
  return { accuracy: total(grown, "sum") / n, standardError: Math.sqrt(variance) / n, n };
}
