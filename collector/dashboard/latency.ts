// The section of durations: whole predictions over time, versions and backends beside each other, stages.
import type { Report } from "../src/report-types.js";
import { type Chart, type Line, look, MOST_LINES } from "./chart.js";
import { createChooser } from "./chooser.js";
import { nameOf, totalsOf } from "./figures.js";
import { duration, durationTick } from "./format.js";
import { gridOf, spread } from "./grid.js";
import { createChartPanel } from "./panel.js";
import { percentileOf } from "./ranges.js";
import { frameSection, type Scene, type Section } from "./section.js";
import { createStages } from "./stages.js";

type Latency = Report["latency"][number];

const NOTHING = "No prediction was measured in this range.";
const QUANTILES = ["p50", "p95", "p99"] as const;
const QUANTILE_DASH = { p50: "dashed", p95: "solid", p99: "dotted" } as const;

export function createLatency(): Section {
  const one = createChartPanel({
    title: "Latency over time",
    unit: "p50, p95, p99 of whole predictions",
    note: "Lines are interpolated within the buckets of the pages' histograms; the band is the bucket of p95, within which it lies for certain.",
  });
  const chooser = createChooser("Model, version and backend");
  one.tools.prepend(chooser.element);
  const beside = createChartPanel({
    title: "p95 by version and backend",
    unit: "whole predictions, logarithmic scale",
  });
  const stages = createStages();
  let scene: Scene | null = null;
  const draw = () => {
    if (!scene) return;
    const { report } = scene;
    const totals = totalsOf(report);
    const chosen = totals[chooser.choose(totals.map(streamName))];
    one.show(chosen ? quantileChart(report, chosen) : null, scene, NOTHING);
    beside.show(totals.length > 0 ? besideChart(report, totals) : null, scene, NOTHING);
    beside.note(
      totals.length > MOST_LINES ? `The ${MOST_LINES} busiest of ${totals.length}; choose a model for the rest.` : "",
    );
  };
  chooser.onChange(draw);
  return {
    element: frameSection("Latency", one.element, beside.element, stages.element),
    show(next) {
      scene = next;
      draw();
      stages.show(next.report);
    },
  };
}

function streamName({ model, version, backend }: Latency): string {
  return nameOf(model, version, backend);
}

function base(report: Report): Pick<Chart, "from" | "to" | "step" | "format" | "axis"> {
  return { from: report.from, to: report.to, step: report.step, format: duration, axis: durationTick };
}

function quantileChart(report: Report, { model, points }: Latency): Chart {
  const grid = gridOf(report, [points]);
  const byIndex = new Map(points.map((point) => [grid.at(point.time), point]));
  const lines = QUANTILES.map(
    (name, ramp): Line => ({
      key: name,
      label: name,
      paint: { ramp },
      kind: "line",
      dash: QUANTILE_DASH[name],
      values: spread(grid, points, (point) => point[name], null),
      tell: (index) => {
        const point = byIndex.get(index);
        return point ? percentileOf(point, name) : null;
      },
    }),
  );
  const edge = (key: string, side: 0 | 1): Line => ({
    key,
    label: key,
    paint: { quiet: true },
    kind: "edge",
    values: spread(grid, points, ({ ranges }) => ranges.p95[side], null),
  });
  return {
    ...base(report),
    model,
    times: grid.times,
    lines: [edge("p95 at most", 1), edge("p95 at least", 0), ...lines],
    bands: [{ upper: 0, lower: 1, quiet: true }],
  };
}

function besideChart(report: Report, totals: readonly Latency[]): Chart {
  const shown = totals.slice(0, MOST_LINES);
  const grid = gridOf(
    report,
    shown.map(({ points }) => points),
  );
  return {
    ...base(report),
    log: true,
    times: grid.times,
    lines: shown.map((stream, index) => ({
      key: streamName(stream),
      label: streamName(stream),
      ...look(index),
      kind: "line",
      values: spread(grid, stream.points, ({ p95 }) => p95, null),
    })),
  };
}
