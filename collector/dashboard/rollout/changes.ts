// The panels of what changed: the channel by its operators, and versions that pages left by themselves.
import type { Report } from "../../src/report-types.js";
import { interval } from "../accuracy.js";
import { sum } from "../figures.js";
import { count, moment, NONE, percent, words } from "../format.js";
import { createTablePanel } from "../panel.js";
import { rangeText } from "../ranges.js";
import { samplesCell } from "../samples.js";
import type { Cell } from "../table.js";
import { armsText, type ChannelChange, type Told } from "./data.js";

export interface ChangePanels {
  elements: readonly HTMLElement[];
  show(report: Report, model: string, changes: Told<readonly ChannelChange[]>): void;
}

const NO_CHANNEL =
  "This collector serves no channel of the model: publish one with insitu channel, or PUT /v1/channels/MODEL.";
const NO_SHADOW = "No shadow ran in this range: give an arm of the channel the role shadow.";
const NO_ROLLBACK = "No page left a version by itself in this range.";

export function createChanges(): ChangePanels {
  const channel = createTablePanel(
    { title: "Channel", unit: "each change, the newest first; a line in every plot", wide: true },
    [...["When", "Release", "Versions", "By", "Why"].map((label) => ({ label }))],
  );
  const rollbacks = createTablePanel({ title: "Rolled back by pages", unit: "by reason" }, [
    { label: "Reason" },
    { label: "Version" },
    { label: "Arm" },
    { label: "Pages", figure: true },
  ]);
  const shadow = createTablePanel(
    {
      title: "Shadow",
      wide: true,
      unit: "predictions that agree with those of the version in use",
      note: "Difference: of the confidences, on average. Time: that of the shadow over that of the version in use.",
    },
    [
      { label: "Version" },
      ...["Agreement", "Compared", "Failed", "Difference", "Time, median", "Time, p95"].map((label) => ({
        label,
        figure: true,
      })),
    ],
  );
  return {
    elements: [rollbacks.element, shadow.element, channel.element],
    show(report, model, changes) {
      channel.show((changes.data ?? []).map(changeRow), changes.why || NO_CHANNEL);
      const own = report.decisions.filter((one) => one.model === model);
      const left = own.filter(({ action }) => action === "rolled_back").sort((a, b) => b.count - a.count);
      rollbacks.show(
        left.map((one) => [words(one.reason), one.version, one.arm, { text: count(one.count), value: one.count }]),
        NO_ROLLBACK,
      );
      rollbacks.note(others(own));
      shadow.show(report.shadows.filter((one) => one.model === model).map(shadowRow), NO_SHADOW);
    },
  };
}

function changeRow({ at, release, arms, by, why }: ChannelChange): (Cell | string)[] {
  return [
    moment(at),
    { text: String(release), value: release },
    { text: armsText(arms), wrap: true },
    by || NONE,
    { text: why || NONE, wrap: true },
  ];
}

/** What else pages did with the channel. */
function others(decisions: Report["decisions"]): string {
  const of = (action: string) => sum(decisions.filter((one) => one.action === action));
  const parts = (["assigned", "swapped", "pinned"] as const).map((action) => `${count(of(action))} ${action}`);
  return decisions.length > 0 ? `Pages also changed as the channel says: ${parts.join(", ")}.` : "";
}

function shadowRow(one: Report["shadows"][number]): (Cell | string)[] {
  const { agree, disagree, failed, low, high, difference, slowdown } = one;
  const n = agree + disagree;
  const times = (name: "p50" | "p95") =>
    slowdown
      ? {
          text: rangeText(slowdown.ranges[name], ratio, ratio, slowdown[name]),
          value: slowdown[name],
        }
      : NONE;
  return [
    one.version,
    n > 0 ? { text: `${percent(agree / n)} (${interval(low, high)})`, value: agree / n } : NONE,
    samplesCell(n),
    { text: count(failed), value: failed },
    difference === null ? NONE : { text: difference.toFixed(3), value: difference },
    times("p50"),
    times("p95"),
  ];
}

function ratio(value: number): string {
  return `${Number(value.toPrecision(3))} ×`;
}
