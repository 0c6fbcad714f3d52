// The panels of the decision about a candidate: what the collector advises, on which evidence, and how that came about.
import type { Action, Decision, Evidence, HistoryEntry, Reason } from "../../src/rollout/decision-types.js";
import { interval } from "../accuracy.js";
import type { Chart, Line } from "../chart.js";
import { createChooser } from "../chooser.js";
import { make, write } from "../dom.js";
import { nameOf } from "../figures.js";
import { count, duration, moment, percent, words } from "../format.js";
import { createChartPanel, createFrame, createTablePanel, type Setting } from "../panel.js";
import type { Cell } from "../table.js";
import type { Told } from "./data.js";

const ACTIONS: Record<Action, string> = { hold: "Hold", promote: "Promote", rollback: "Roll back" };

const REASONS: Record<Reason, string> = {
  accuracy: "the candidate is less accurate",
  errors: "the candidate fails more often",
  latency: "the candidate is slower",
  better: "the candidate is better",
  not_worse: "the candidate is not worse",
  not_enough: "there is not enough evidence yet",
  untrusted: "pages alone say so: labels of the site's own backend (--trusted-key) are needed",
  no_candidate: "the channel has no candidate",
};

const METRICS: Record<Evidence["metric"], string> = {
  accuracy: "Accuracy",
  errors: "Errors",
  latency: "Latency, median",
  shadow_agreement: "Agreement of the shadow",
};

const NOTHING =
  "Nothing is decided: publish a channel (insitu channel), or let pages load the model from one. A candidate is an arm with the role canary.";

type Step = HistoryEntry["evidence"][number];

export interface DecisionPanels {
  elements: readonly HTMLElement[];
  show(told: Told<Decision>, model: string, setting: Setting): void;
}

export function createDecision(): DecisionPanels {
  const advice = createAdvice();
  const over = createChartPanel({
    title: "Evidence over time",
    unit: "candidate minus control, with bounds that hold at every look",
  });
  const chooser = createChooser("Measure");
  over.tools.prepend(chooser.element);
  const evidence = createTablePanel(
    {
      title: "Evidence",
      unit: "candidate against control, over the same time",
      wide: true,
      note:
        'Worse, better and equal (within the margin) are proved whenever one looks; the p-value is of "not worse". Trusted: from requests with a ' +
        "key of --trusted-key. Of latency the difference is relative.",
    },
    [
      ...["Measure", "Source", "Verdict"].map((label) => ({ label })),
      ...["Control", "Candidate", "Difference", "Bounds", "p", "alpha"].map((label) => ({ label, figure: true })),
    ],
  );
  const past = createTablePanel({ title: "Decisions so far", unit: "each change, the newest first" }, [
    ...["When", "Decision", "Why", "Control", "Candidate"].map((label) => ({ label })),
  ]);
  let last: { told: Told<Decision>; model: string; setting: Setting } | null = null;

  const draw = () => {
    if (!last) return;
    const { told, model, setting } = last;
    const { data } = told;
    const why = told.why || NOTHING;
    advice.show(data, why);
    evidence.show(data?.evidence.map(evidenceRow) ?? [], data ? "No version can be compared yet." : why);
    past.show(data ? changesOf(data.history).map(pastRow) : [], data ? "Nothing was decided yet." : why);
    const lines = data ? linesOf(data.history, data.reason) : [];
    const chosen = lines[chooser.choose(lines.map(({ name }) => name))];
    over.show(data && chosen ? overChart(data, chosen, model) : null, setting, data ? "No evidence came yet." : why);
  };
  chooser.onChange(draw);

  return {
    elements: [advice.element, over.element, evidence.element, past.element],
    show(told, model, setting) {
      last = { told, model, setting };
      draw();
    },
  };
}

/** What the collector advises, in words. */
function createAdvice(): { element: HTMLElement; show(data: Decision | null, why: string): void } {
  const frame = createFrame({ title: "Decision", unit: "what the evidence says now" });
  const action = make("strong");
  const [reason, missing, about] = [make("p"), make("ul", "missing"), make("p", "unit")];
  frame.body.append(make("div", "decision", action, reason, missing, about));
  return {
    element: frame.element,
    show(data, why) {
      action.dataset.action = data?.action ?? "hold";
      write(action, data ? ACTIONS[data.action] : "No decision");
      write(reason, data ? `Because ${REASONS[data.reason] ?? words(data.reason)}.` : why);
      missing.hidden = !data?.missing.length;
      missing.replaceChildren(...(data?.missing ?? []).map((one) => make("li", "", one)));
      const versions = data && [versionText("Control", data.control), versionText("candidate", data.candidate)];
      const since = data?.since ? `since ${moment(data.since)}` : "";
      write(about, [...(versions ?? []), since].filter(Boolean).join(", "));
    },
  };
}

function versionText(what: string, ref: Decision["candidate"]): string {
  return ref ? `${what} ${nameOf("", ref.version, ref.arm)} with ${count(ref.n)} predictions` : "";
}

function evidenceRow(one: Evidence): (Cell | string)[] {
  const value = ({ value, low, high }: Evidence["control"]) =>
    one.metric === "latency"
      ? `${duration(value)} (${duration(low)} to ${duration(high)})`
      : `${percent(value, digitsOf(one.metric))} (${interval(low, high, digitsOf(one.metric))})`;
  return [
    METRICS[one.metric] ?? words(one.metric),
    one.trusted ? "trusted" : "pages",
    words(one.verdict),
    { text: value(one.control), value: one.control.value },
    { text: value(one.candidate), value: one.candidate.value },
    { text: signed(one.metric, one.difference), value: one.difference },
    { text: boundsText(one.metric, one.low, one.high), value: one.low },
    { text: probability(one.p), value: one.p },
    { text: probability(one.alpha), value: one.alpha },
  ];
}

/** Errors are rare. */
const digitsOf = (metric: Evidence["metric"]) => (metric === "errors" ? 2 : 1);

/** Points of a percentage for shares, per cent of the control for latency. */
function signed(metric: Evidence["metric"], difference: number): string {
  const sign = difference > 0 ? "+" : difference < 0 ? "−" : "±";
  return `${sign}${(Math.abs(difference) * 100).toFixed(digitsOf(metric))} ${metric === "latency" ? "%" : "points"}`;
}

/** The collector's bounds where nothing is known: all of them, and of latency a million times as slow. */
const LARGEST = { latency: 1e6, share: 1 };

function boundsText(metric: Evidence["metric"], low: number, high: number): string {
  const [hasLow, hasHigh] = [low > -1, high < (metric === "latency" ? LARGEST.latency : LARGEST.share)];
  if (hasLow && hasHigh) return `${signed(metric, low)} to ${signed(metric, high)}`;
  if (hasLow) return `over ${signed(metric, low)}`;
  return hasHigh ? `below ${signed(metric, high)}` : "not known yet";
}

export function probability(p: number): string {
  if (p < 0.0001) return "< 0.0001";
  return p.toFixed(p < 0.1 ? 4 : 2);
}

/** The history also has entries in which only the evidence had grown. */
function changesOf(history: readonly HistoryEntry[]): HistoryEntry[] {
  const keyOf = (one: HistoryEntry | undefined) =>
    JSON.stringify([one?.action, one?.reason, one?.control, one?.candidate]);
  return history.filter((one, i) => keyOf(one) !== keyOf(history[i - 1])).reverse();
}

function pastRow({ at, action, reason, control, candidate }: HistoryEntry): (Cell | string)[] {
  return [moment(at), ACTIONS[action] ?? action, words(reason), control, candidate];
}

interface EvidenceLine {
  name: string;
  metric: Evidence["metric"];
  isTrusted: boolean;
  points: { at: number; step: Step; entry: HistoryEntry }[];
}

/** What decides first: the measure that the reason names, else trusted accuracy. */
function linesOf(history: readonly HistoryEntry[], reason: Reason): EvidenceLine[] {
  const lines = new Map<string, EvidenceLine>();
  for (const entry of history)
    for (const step of entry.evidence) {
      const name = `${METRICS[step.metric] ?? words(step.metric)}, ${step.trusted ? "trusted" : "pages"}`;
      const line = lines.get(name) ?? { name, metric: step.metric, isTrusted: step.trusted, points: [] };
      line.points.push({ at: entry.at, step, entry });
      lines.set(name, line);
    }
  const order = [reason as string, "accuracy", "errors", "latency", "shadow_agreement"];
  const rank = ({ metric, isTrusted }: EvidenceLine) => 2 * order.indexOf(metric) + (isTrusted ? 0 : 1);
  return [...lines.values()].sort((a, b) => rank(a) - rank(b));
}

function overChart({ at: now }: Decision, { name, metric, points }: EvidenceLine, model: string): Chart {
  const values = (read: (step: Step) => number) => points.map(({ step }) => read(step));
  const edge = (key: string, read: (step: Step) => number): Line => ({
    key,
    label: key,
    paint: { quiet: true },
    kind: "edge",
    values: values(read),
  });
  const format = (value: number) => signed(metric, value);
  // A bound that is not known yet would flatten everything else.
  const known = points.flatMap(({ step: { low, high, difference } }) => [
    difference,
    ...(low > -1 ? [low] : []),
    ...(high < 1 ? [high] : []),
  ]);
  const most = Math.max(...known.map(Math.abs), 0.01) * 1.1;
  const difference: Line = {
    key: name,
    label: `${name}, with bounds`,
    paint: { series: 0 },
    kind: "line",
    dash: "solid",
    values: values(({ difference }) => difference),
    tell: (index) => {
      const point = points[index];
      if (!point) return null;
      const { difference, low, high, verdict } = point.step;
      return `${format(difference)} (${boundsText(metric, low, high)}), ${words(verdict)}: ${ACTIONS[point.entry.action] ?? point.entry.action}`;
    },
  };
  const from = points[0]?.at ?? now;
  return {
    from,
    to: Math.max(now, from + 60_000),
    // Entries come when something changed, not at steps.
    step: 0,
    model,
    times: points.map(({ at }) => at),
    lines: [
      edge("upper bound", ({ high }) => Math.min(high, most)),
      edge("lower bound", ({ low }) => Math.max(low, -most)),
      difference,
    ],
    bands: [{ upper: 0, lower: 1, quiet: false }],
    range: [-most, most],
    format,
    axis: (value) =>
      `${value < 0 ? "−" : ""}${Math.round(Math.abs(value) * 1000) / 10} ${metric === "latency" ? "%" : "pt"}`,
  };
}
