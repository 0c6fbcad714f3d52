// The sections of the dashboard's report, each from the series of one metric; pure.
import { counts, type GrownSeries, grouped, type NamedAttributes, steps, total } from "./report-groups.js";
import type { Report } from "./report-types.js";
import { spread } from "./report-values.js";
import type { Span } from "./slots.js";

export const MODEL = "ml.model.name";
export const VERSION = "ml.model.version";
export const ARM = "ml.rollout.arm";
export const BACKEND = "ml.runtime.backend";
const STAGE = "ml.inference.stage";
const ERROR_TYPE = "error.type";

/** The series of a metric that the query asks for, with what each grew by. */
export type SeriesOf = (metric: string) => GrownSeries[];

/** An attribute's value; empty when it is missing. */
const attributeOf = (attributes: NamedAttributes, key: string) => attributes[key] ?? "";

export function latency(of: SeriesOf, span: Span): Report["latency"] {
  const totals = of("ml.inference.duration").filter(({ attributes }) => !attributes[ERROR_TYPE]);
  return [totals, of("ml.inference.stage.duration")].flatMap((series) =>
    grouped(series, [STAGE, MODEL, VERSION, BACKEND]).map(({ attributes, series }) => ({
      stage: attributes[STAGE] ?? "total",
      model: attributeOf(attributes, MODEL),
      version: attributes[VERSION] ?? null,
      backend: attributeOf(attributes, BACKEND),
      ...spread(series),
      points: steps(series, span, spread),
    })),
  );
}

export function throughput(of: SeriesOf, span: Span): Report["throughput"] {
  return grouped(of("ml.inference.items"), [MODEL, BACKEND]).map(({ attributes, series }) => ({
    model: attributeOf(attributes, MODEL),
    backend: attributeOf(attributes, BACKEND),
    items: total(series, "sum"),
    points: steps(series, span, (some) => ({ items: total(some, "sum") })),
  }));
}

export function errors(of: SeriesOf, span: Span): Report["errors"] {
  return grouped(of("ml.errors"), [ERROR_TYPE, STAGE]).map(({ attributes, series }) => ({
    type: attributeOf(attributes, ERROR_TYPE),
    stage: attributeOf(attributes, STAGE),
    count: total(series, "sum"),
    points: steps(series, span, (some) => ({ count: total(some, "sum") })),
  }));
}

export function fallbacks(of: SeriesOf): Report["fallbacks"] {
  const keys = ["ml.fallback.from", "ml.fallback.to", ERROR_TYPE];
  return grouped(of("ml.runtime.fallbacks"), keys).map(({ attributes, series }) => ({
    from: attributeOf(attributes, "ml.fallback.from"),
    to: attributeOf(attributes, "ml.fallback.to"),
    type: attributeOf(attributes, ERROR_TYPE),
    count: total(series, "sum"),
  }));
}

export function restarts(of: SeriesOf): Report["restarts"] {
  return counts(of("ml.runtime.worker.restarts"), "ml.restart.reason").map(([reason, count]) => ({ reason, count }));
}

export function cache(of: SeriesOf): Report["cache"] {
  return counts(of("ml.model.cache.requests"), "ml.cache.result").map(([result, count]) => ({ result, count }));
}

export function loads(of: SeriesOf): Report["loads"] {
  return grouped(of("ml.model.load.duration"), [MODEL, VERSION, "ml.model.source"]).map(({ attributes, series }) => ({
    model: attributeOf(attributes, MODEL),
    version: attributeOf(attributes, VERSION),
    source: attributeOf(attributes, "ml.model.source"),
    ...spread(series),
  }));
}

export function memory(of: SeriesOf): Report["memory"] {
  return grouped(of("ml.runtime.memory.usage"), [BACKEND, "ml.memory.kind"]).map(({ attributes, series }) => {
    const { count, max } = spread(series);
    return {
      backend: attributeOf(attributes, BACKEND),
      kind: attributeOf(attributes, "ml.memory.kind"),
      count,
      mean: count > 0 ? total(series, "sum") / count : 0,
      max,
    };
  });
}

export function droppedRecords(of: SeriesOf): Report["telemetry"]["dropped"] {
  const keys = ["ml.telemetry.signal", "ml.telemetry.drop_reason"];
  return grouped(of("ml.telemetry.dropped"), keys).map(({ attributes, series }) => ({
    signal: attributeOf(attributes, "ml.telemetry.signal"),
    reason: attributeOf(attributes, "ml.telemetry.drop_reason"),
    count: total(series, "sum"),
  }));
}
