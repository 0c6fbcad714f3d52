// The section of accuracy: what labels prove, with their interval, beside what is estimated without labels.
import type { Report } from "../src/report-types.js";
import type { Chart, Line } from "./chart.js";
import { make } from "./dom.js";
import { nameOf } from "./figures.js";
import { count, length, NONE, percent, short } from "./format.js";
import { type Grid, gridOf, spread } from "./grid.js";
import { type ChartPanel, createChartPanel, createTablePanel } from "./panel.js";
import { frameSection, type Section } from "./section.js";
import { type Windows, windowsOf } from "./windows.js";

type Accuracy = Report["accuracy"][number];

/** Below this many labels an interval is too wide to act on; nothing in insitu alerts below it either. */
export const FEW_LABELS = 100;

// Half of a 95 % interval, in standard errors.
const Z = 1.96;
const MOST_PLOTS = 4;

export function createAccuracy(): Section {
  const table = createTablePanel(
    {
      title: "Accuracy by version",
      unit: "what labels prove, and what is estimated without them",
      wide: true,
      note:
        "The interval is Wilson's, 95 %. The estimate is the mean confidence of predictions, labelled or not; it holds as far as the " +
        "model's confidence is calibrated. Nothing should be concluded from fewer than 100 labels.",
    },
    [
      ...["Model", "Version", "Arm"].map((label) => ({ label })),
      ...["Labels", "Correct", "Accuracy", "95 % interval", "Brier", "Estimate", "± 95 %"].map((label) => ({
        label,
        figure: true,
      })),
    ],
  );
  const plots = make("div", "panels wide");
  const panels = new Map<string, ChartPanel>();
  return {
    element: frameSection("Accuracy", table.element, plots),
    show(scene) {
      const { report } = scene;
      const rows = [...report.accuracy].sort((a, b) => b.labelled - a.labelled);
      table.show(rows.map(rowOf), "No label came in this range. Send them with model.feedback(id, { label }).");
      const shown = rows.filter(({ points }) => points.length > 0).slice(0, MOST_PLOTS);
      const windows = new Map(shown.map((one) => [one, windowsOf(report, one.points)]));
      const keys = shown.map(keyOf);
      for (const [key, panel] of panels) if (!keys.includes(key)) remove(key, panel);
      for (const [one, pooled] of windows) {
        const panel = panels.get(keyOf(one)) ?? add(one);
        const chart = chartOf(report.from, pooled, one.estimate, floorOf(one.model, windows));
        panel.show({ ...chart, model: one.model }, scene, "");
        panel.note(`Each point is ${length(pooled.step)} of labels.${few(one.labelled)}`);
      }
    },
  };

  function add(one: Accuracy): ChartPanel {
    const panel = createChartPanel({ title: keyOf(one), unit: "share of correct labelled predictions" });
    panels.set(keyOf(one), panel);
    plots.append(panel.element);
    return panel;
  }

  function remove(key: string, panel: ChartPanel): void {
    panels.delete(key);
    panel.element.remove();
  }
}

function keyOf({ model, version, arm }: Accuracy): string {
  return nameOf(model, version, arm);
}

function rowOf({ model, version, arm, labelled, correct, accuracy, low, high, brier, estimate }: Accuracy) {
  const hasAccuracy = labelled > 0 && accuracy !== null;
  return [
    ...[model, version, arm],
    { text: count(labelled), value: labelled },
    { text: count(correct), value: correct },
    hasAccuracy ? { text: percent(accuracy), value: accuracy } : NONE,
    hasAccuracy ? { text: interval(low, high), value: low } : NONE,
    brier === null ? NONE : { text: brier.toFixed(3), value: brier },
    estimate ? { text: percent(estimate.accuracy), value: estimate.accuracy } : NONE,
    estimate ? { text: percent(Z * estimate.standardError), value: estimate.standardError } : NONE,
  ];
}

export function interval(low: number, high: number, digits = 1): string {
  return `${(low * 100).toFixed(digits)}–${percent(high, digits)}`;
}

function few(labelled: number): string {
  return labelled < FEW_LABELS ? ` ${count(labelled)} labels are too few to conclude from.` : "";
}

/** One scale for all versions of a model, so that they can be compared; cut at a round figure below everything shown. */
function floorOf(model: string, windows: ReadonlyMap<Accuracy, Windows>): number {
  const same = [...windows].filter(([one]) => one.model === model);
  const lows = same.flatMap(([, { points }]) => points.map(({ low }) => low));
  const estimates = same.map(([{ estimate }]) => (estimate ? estimate.accuracy - Z * estimate.standardError : 1));
  return Math.max(0, Math.floor(Math.min(0.9, ...lows, ...estimates) * 10) / 10);
}

function chartOf(from: number, windows: Windows, estimate: Accuracy["estimate"], floor: number): Chart {
  const { to, step } = windows;
  const grid = gridOf(windows, [windows.points]);
  return {
    from,
    to,
    step,
    times: grid.times,
    lines: [...labelLines(windows, grid), ...(estimate ? estimateLines(estimate, grid) : [])],
    bands: [{ upper: 0, lower: 1, quiet: false }, ...(estimate ? [{ upper: 3, lower: 4, quiet: true }] : [])],
    range: [floor, 1],
    format: percent,
    axis: (value) => `${short(value * 100)} %`,
  };
}

function edge(key: string, values: Line["values"]): Line {
  return { key, label: key, paint: { quiet: true }, kind: "edge", values };
}

/** The accuracy by labels, between the ends of its interval. */
function labelLines({ points }: Windows, grid: Grid): Line[] {
  const byIndex = new Map(points.map((point) => [grid.at(point.time), point]));
  const high = spread(grid, points, ({ high }) => high, null);
  const low = spread(grid, points, ({ low }) => low, null);
  const labels: Line = {
    key: "labels",
    label: "labelled, with 95 % interval",
    paint: { series: 0 },
    kind: "line",
    dash: "solid",
    values: spread(grid, points, ({ correct, labelled }) => correct / labelled, null),
    tell: (index) => {
      const at = byIndex.get(index);
      if (!at) return null;
      return `${percent(at.correct / at.labelled)} (${interval(at.low, at.high)}), ${count(at.correct)} of ${count(at.labelled)}`;
    },
  };
  return [edge("high", high), edge("low", low), labels];
}

/** The estimate without labels, between the ends of its interval. */
function estimateLines({ accuracy, standardError }: NonNullable<Accuracy["estimate"]>, grid: Grid): Line[] {
  const half = Z * standardError;
  const level = (value: number) => grid.times.map(() => Math.min(1, value));
  const line: Line = {
    key: "estimate",
    label: "estimate without labels, whole range",
    paint: { quiet: true },
    kind: "line",
    dash: "dashed",
    values: level(accuracy),
    tell: () => `${percent(accuracy)} ± ${percent(half)}`,
  };
  return [edge("estimate high", level(accuracy + half)), edge("estimate low", level(accuracy - half)), line];
}
