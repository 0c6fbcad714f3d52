// A channel and the collector's decision on it as tables for a terminal.
import type { Channel } from "../../shared/types/rollout.js";
import type { Change } from "../store/records.js";
import { textTable } from "../text-table.js";
import type { Decision, Evidence, Figure } from "./decision.js";
import { percentOf, shown, versionOf } from "./plan.js";

const MAX_CHANGES = 10;

export interface ChannelStatus {
  where: string;
  channel: Channel;
  history: Change[];
  decision?: Decision;
  /** What is wrong with the file. */
  note?: string;
  /** Why there is no decision though a collector was named. */
  problem?: string;
}

export function statusText({ where, channel, history, decision, note, problem }: ChannelStatus): string {
  const signers = (channel.signatures ?? []).map(({ keyId }) => keyId).join(", ");
  const about = [
    `${channel.model}, release ${channel.release}, ${where}`,
    [
      channel.created && `created ${channel.created}`,
      channel.expires &&
        `${Date.parse(channel.expires) > Date.now() ? "expires" : "has expired on"} ${channel.expires}`,
      signers ? `signed by ${signers}, not verified` : "unsigned",
    ]
      .filter(Boolean)
      .join(", "),
  ].join("\n");
  const parts = [about, armsTable(channel)];
  if (note) parts.push(`Note: ${note}`);
  if (decision) parts.push(decisionText(decision));
  if (problem) parts.push(`No decision: ${problem}`);
  if (history.length > 0) parts.push(historyTable(history.slice(-MAX_CHANGES)));
  return parts.join("\n\n");
}

function armsTable(channel: Channel): string {
  const rows = channel.arms.map((arm) => [
    arm.role,
    versionOf(arm),
    arm.role === "shadow" ? "" : `${shown(percentOf(channel, arm))} %`,
    arm.role === "shadow" ? `${arm.package}, ${shown(100 * (arm.share ?? 0.1))} % of the inputs` : arm.package,
  ]);
  return textTable(["arm", "version", "share", "package"], rows);
}

function historyTable(changes: Change[]): string {
  const rows = changes.map(({ release, at, action, by, why, summary }) => [
    String(release),
    at.replace(/\.\d+Z$/, "Z"),
    action,
    by,
    [why, summary && `(${summary})`].filter(Boolean).join(" "),
  ]);
  return textTable(["release", "at", "action", "by", "why"], rows);
}

/** The decision in a line, and its evidence as a table. */
export function decisionText(decision: Decision): string {
  const lacks = decision.missing.map((one) => `  ${one}`);
  return [decisionLine(decision), ...lacks, evidenceTable(decision.evidence)].filter(Boolean).join("\n");
}

function decisionLine({ action, reason, control, candidate }: Decision): string {
  const sides = candidate
    ? `, ${candidate.version} (n ${candidate.n}) against ${control.version} (n ${control.n})`
    : `, ${control.version} (n ${control.n}) alone`;
  return `decision ${action} (${reason.replace("_", " ")})${sides}`;
}

function evidenceTable(evidence: Evidence[]): string {
  if (evidence.length === 0) return "";
  const rows = evidence.map((one) => [
    one.metric.replace("_", " "),
    one.trusted ? "trusted" : "pages",
    figureText(one.control, one.metric),
    figureText(one.candidate, one.metric),
    differenceText(one),
    one.p === undefined ? "" : one.p.toPrecision(2),
    one.verdict,
  ]);
  return textTable(["metric", "data", "control", "candidate", "difference", "p", "verdict"], rows);
}

const PERCENT = { factor: 100, unit: "%" };
const MILLISECONDS = { factor: 1_000, unit: "ms" };

const figureText = ({ n, value, low, high }: Figure, metric: string): string =>
  n === 0 ? "none" : `${intervalText(value, low, high, metric === "latency" ? MILLISECONDS : PERCENT)} (n ${n})`;

/** What the collector sends where nothing is known: of shares all that is possible, of latency a million times as slow. */
const isKnown = (metric: string, low = -1, high = 1e6): boolean => low > -1 && high < (metric === "latency" ? 1e6 : 1);

function differenceText({ metric, difference, low, high }: Evidence): string {
  const text = intervalText(difference, low, high, PERCENT);
  return difference === undefined || isKnown(metric, low, high)
    ? text
    : `${text.replace(/ \[.*\]/, "")}, not known yet`;
}

function intervalText(
  value: number | undefined,
  low: number | undefined,
  high: number | undefined,
  { factor, unit }: typeof PERCENT,
): string {
  if (value === undefined) return "unknown";
  const text = (number: number) => (factor * number).toFixed(1);
  const interval = low === undefined || high === undefined ? "" : ` [${text(low)}, ${text(high)}]`;
  return `${text(value)}${interval} ${unit}`;
}
