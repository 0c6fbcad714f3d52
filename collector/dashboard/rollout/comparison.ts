// The panels of versions and arms beside each other: traffic, and every measure with its 95 % interval on one scale.
import type { Report, ValueRange } from "../../src/report-types.js";
import { FEW_LABELS, interval } from "../accuracy.js";
import { type Chart, look, MOST_LINES } from "../chart.js";
import { nameOf } from "../figures.js";
import { count, duration, durationTick, length, NONE, percent, short } from "../format.js";
import { gridOf, spread } from "../grid.js";
import { createChartPanel, createTablePanel, type Setting } from "../panel.js";
import { rangeText } from "../ranges.js";
import { isFew } from "../samples.js";
import type { Cell } from "../table.js";

type Arm = Report["arms"][number];

const NOTHING = "No prediction of this model was reported in this range.";

export interface Comparison {
  elements: readonly HTMLElement[];
  show(report: Report, model: string, setting: Setting): void;
}

export function createComparison(): Comparison {
  const versions = createTablePanel(
    { title: "Versions and arms", unit: "share of the model's predictions in this range" },
    [
      { label: "Version" },
      { label: "Arm" },
      { label: "Traffic", bars: true },
      ...["Share", "Predictions", "Labels"].map((label) => ({ label, figure: true })),
    ],
  );
  const traffic = createChartPanel({ title: "Traffic by arm", unit: "predictions in each step" });
  const compared = createTablePanel(
    {
      title: "Side by side",
      unit: "each with its 95 % interval, all versions of a measure on one scale",
      wide: true,
      note:
        "Intervals: Wilson's of shares, order statistics of percentiles, which are never narrower than their bucket. All backends together. " +
        "Intervals that overlap prove nothing; the decision below tests it.",
    },
    [
      { label: "Measure" },
      { label: "Version and arm" },
      { label: "Value", figure: true },
      { label: "95 % interval", bars: true },
      { label: "Of", figure: true },
    ],
  );
  return {
    elements: [versions.element, traffic.element, compared.element],
    show(report, model, setting) {
      const arms = report.arms.filter((arm) => arm.model === model).sort((a, b) => b.predictions - a.predictions);
      versions.show(arms.map(versionRow), NOTHING);
      traffic.show(trafficChart(report, model, arms), setting, NOTHING);
      compared.show(
        MEASURES.flatMap((measure) => measureRows(measure, arms)),
        NOTHING,
      );
    },
  };
}

function versionRow(arm: Arm): (Cell | string)[] {
  return [
    arm.version,
    arm.arm,
    { text: "", bar: arm.share },
    { text: percent(arm.share), value: arm.share },
    { text: count(arm.predictions), value: arm.predictions },
    { text: count(arm.accuracy.labelled), value: arm.accuracy.labelled },
  ];
}

function trafficChart(report: Report, model: string, arms: readonly Arm[]): Chart | null {
  const shown = arms.slice(0, MOST_LINES);
  if (shown.length === 0) return null;
  const { from, to, step } = report;
  const grid = gridOf(
    report,
    shown.map(({ points }) => points),
  );
  return {
    from,
    to,
    step,
    model,
    times: grid.times,
    stacked: true,
    format: (value) => `${count(value)} in ${length(step)}`,
    axis: (value) => (Number.isInteger(value) ? short(value) : ""),
    lines: shown.map(({ version, arm, points }, index) => ({
      key: `${version} ${arm}`,
      label: nameOf("", version, arm),
      ...look(index),
      kind: "column",
      values: spread(grid, points, ({ predictions }) => predictions, 0),
    })),
  };
}

interface Measured {
  value: number;
  range: ValueRange;
  text: string;
  n: number;
  few: boolean;
}

interface Measure {
  label: string;
  of(arm: Arm): Measured | null;
}

const shareText = (share: number, [low, high]: ValueRange, digits = 1) =>
  `${percent(share, digits)} (${interval(low, high ?? 1, digits)})`;

function percentile(name: "p50" | "p95"): Measure {
  return {
    label: `Latency ${name}`,
    of({ latency }) {
      if (latency.count === 0) return null;
      const range = latency.intervals[name];
      // Its bucket alone, when the interval is no wider.
      const text = rangeText(range, duration, durationTick, latency[name]);
      return {
        value: latency[name],
        range,
        text,
        n: latency.count,
        few: range[1] === null || isFew(latency.count, 0.5),
      };
    },
  };
}

const MEASURES: readonly Measure[] = [
  {
    label: "Accuracy",
    of({ accuracy: { labelled, correct, low, high } }) {
      if (labelled === 0) return null;
      const range: ValueRange = [low, high];
      const value = correct / labelled;
      return { value, range, text: shareText(value, range), n: labelled, few: labelled < FEW_LABELS };
    },
  },
  {
    label: "Errors",
    of({ errors: { count: failed, low, high }, predictions }) {
      if (predictions === 0) return null;
      const range: ValueRange = [low, high];
      const value = failed / predictions;
      return { value, range, text: shareText(value, range, 2), n: predictions, few: predictions < FEW_LABELS };
    },
  },
  percentile("p50"),
  percentile("p95"),
];

/** One row a version; all whiskers of a measure share the scale that holds them. */
function measureRows({ label, of }: Measure, arms: readonly Arm[]): (Cell | string)[][] {
  const all = arms.flatMap((arm) => [of(arm)].filter((one) => one !== null));
  const low = Math.min(...all.map(({ range }) => range[0]));
  const high = Math.max(...all.map(({ value, range }) => range[1] ?? value * 1.5));
  const place = (value: number) => (high > low ? (value - low) / (high - low) : 0.5);
  return arms.map((arm) => {
    const measured = of(arm);
    const name = nameOf("", arm.version, arm.arm);
    if (!measured) return [label, name, NONE, "", { text: "0", value: 0 }];
    const { value, range, text, n, few } = measured;
    const whisker = { low: place(range[0]), value: place(value), high: place(range[1] ?? high) };
    return [
      label,
      name,
      { text, value },
      { text: "", whisker },
      { text: few ? `${count(n)}, few` : count(n), value: n },
    ];
  });
}
