// The section of drift: what differs from the reference by feature, both distributions, and what pages detected by themselves.
import type { DriftReport } from "../../src/drift/drift-types.js";
import type { Report } from "../../src/report-types.js";
import type { Chart } from "../chart.js";
import { createChooser } from "../chooser.js";
import { nameOf } from "../figures.js";
import { count, moment, percent, words } from "../format.js";
import { createChartPanel, createTablePanel } from "../panel.js";
import { frameSection, type Scene, type Section } from "../section.js";
import type { Cell } from "../table.js";
import type { Rollouts } from "./data.js";
import { probability } from "./decision.js";

const NOTHING =
  "Nothing is compared yet. A version is compared once 10 senders (addresses; each counts once a day) have reported 50 values within a week: " +
  "with fewer, wait. Confidences and classes are compared with a reference profile (insitu reference), or with the version's first days. " +
  "Inputs are reported only by pages whose package has such a profile.";
const NOT_DETECTED =
  "No page detected drift in this range. Detectors need confidences, or labels by model.feedback(id, { label }).";

export function createDrift(): Section {
  const table = createTablePanel(
    {
      title: "Drift by feature",
      unit: "the newest window against the reference, what differs most first",
      wide: true,
      note:
        "It is drift when the population stability index (PSI) is over its threshold, which grows for few values, and the chi-square test, " +
        "corrected for all targets, agrees. The bar is the PSI, pale up to the threshold.",
    },
    [
      { label: "Target" },
      { label: "State" },
      { label: "PSI and threshold", bars: true },
      ...["PSI", "Threshold", "JS distance", "Chi² p", "KS p", "Values"].map((label) => ({ label, figure: true })),
      { label: "Model and version" },
    ],
  );
  const both = createChartPanel({ title: "Both distributions", unit: "share of the values in each bin" });
  const chooser = createChooser("Target");
  both.tools.prepend(chooser.element);
  const pages = createTablePanel({ title: "Detected in pages", unit: "by detector, each page on its own" }, [
    { label: "Detector" },
    { label: "Target" },
    { label: "Detections", figure: true },
    { label: "Version" },
    { label: "Arm" },
  ]);
  let scene: Scene | null = null;
  const draw = () => {
    if (!scene) return;
    const all = driftsIn(scene.rollouts);
    const why = [...scene.rollouts.drift.values()].find((one) => one.why)?.why || NOTHING;
    table.show(
      all.map((one) => driftRow(one, longest(all))),
      why,
    );
    const chosen = all[chooser.choose(all.map(targetName))];
    both.show(chosen ? distributionChart(chosen) : null, scene, why);
    both.note(chosen ? binNote(chosen) : "");
    pages.show(detectionRows(scene.report), NOT_DETECTED);
  };
  chooser.onChange(draw);
  return {
    element: frameSection("Drift", table.element, both.element, pages.element),
    show(next) {
      scene = next;
      draw();
    },
  };
}

function driftsIn({ drift }: Rollouts): DriftReport[] {
  const all = [...drift.values()].flatMap(({ data }) => data ?? []);
  return all.sort((a, b) => Number(b.isDrift) - Number(a.isDrift) || b.psi / b.threshold - a.psi / a.threshold);
}

function targetName({ target, model, version, arm }: DriftReport): string {
  return `${target} · ${nameOf(model, version, arm)}`;
}

function longest(all: readonly DriftReport[]): number {
  return Math.max(...all.map(({ psi, threshold }) => Math.max(psi, threshold)), Number.MIN_VALUE);
}

function driftRow(one: DriftReport, most: number): (Cell | string)[] {
  const state = one.isDrift ? `drift${one.since ? ` since about ${moment(one.since)}` : ""}` : "as the reference";
  const figure = (value: number, text = value.toFixed(3)) => ({ text, value });
  return [
    one.target,
    state,
    { text: "", bar: one.psi / most, tail: one.threshold / most },
    figure(one.psi),
    figure(one.threshold),
    figure(one.js),
    figure(one.chi2.p, probability(one.chi2.p)),
    figure(one.ks.p, probability(one.ks.p)),
    figure(one.n, count(one.n)),
    nameOf(one.model, one.version, one.arm),
  ];
}

const QUANTILE_BINS = 20;

/** The names of the bins, by what is compared. */
function binsOf({ target, reference, current }: DriftReport): string[] {
  const size = Math.max(reference.length, current.length);
  const all = Array.from({ length: size }, (_, i) => i);
  if (target === "classes") return all.map((i) => `class ${i}`);
  if (target.endsWith(".missing") && size === 2) return ["present", "missing"];
  if (target === "confidence") return all.map((i) => `${(i / size).toFixed(2)} to ${((i + 1) / size).toFixed(2)}`);
  return all.map((i) => `${Math.round((i / size) * 100)} to ${Math.round(((i + 1) / size) * 100)} %`);
}

function binNote({ target, reference }: DriftReport): string {
  const isFeature = reference.length === QUANTILE_BINS && target !== "confidence" && target !== "classes";
  return isFeature
    ? "Bins are 5 % of the reference's values each: without drift all are equally full. Left are its lowest values."
    : "";
}

function distributionChart(one: DriftReport): Chart {
  const bins = binsOf(one);
  const line = (key: string, shares: readonly number[], index: number, side: -1 | 1) => ({
    key,
    label: key,
    paint: index === 0 ? ({ quiet: true } as const) : { series: 0 },
    kind: "column" as const,
    side,
    values: bins.map((_, i) => shares[i] ?? 0),
  });
  return {
    from: 0,
    to: bins.length * 1000,
    step: 1000,
    bins,
    times: bins.map((_, i) => i * 1000),
    lines: [line("reference", one.reference, 0, -1), line(`current, ${count(one.n)} values`, one.current, 1, 1)],
    format: percent,
    axis: (value) => `${Math.round(value * 1000) / 10} %`,
  };
}

function detectionRows({ detections }: Report): (Cell | string)[][] {
  return [...detections]
    .sort((a, b) => b.count - a.count)
    .map((one) => [
      words(one.detector),
      words(one.target),
      { text: count(one.count), value: one.count },
      nameOf(one.model, one.version),
      one.arm,
    ]);
}
