// Follows a collector's decisions: raises a canary step by step, promotes it, or rolls it back, and prints each step with its evidence.
import { InsituError, isInsituError } from "../../shared/errors.js";
import type { Channel, ChannelArm } from "../../shared/types/rollout.js";
import type { Change } from "../store/records.js";
import { type Collector, type Decision, fetchDecision } from "./decision.js";
import { canariesOf, percentOf, planPromote, planRaise, planRollback, shown, stableOf, versionOf } from "./plan.js";
import { publish } from "./publish.js";
import type { PublishOptions } from "./release-options.js";
import { decisionText } from "./status-text.js";
import type { ChannelState, ChannelTarget } from "./target.js";
import { verifyCanary } from "./verify-canary.js";

export interface AutoOptions extends PublishOptions {
  /** Milliseconds between two looks. */
  every: number;
  /** Looks once. */
  once?: boolean;
  /** Percent, ascending. */
  steps: number[];
  /** Milliseconds that a share lasts at least before it is raised again. */
  pause: number;
}

/** How it ended: `undecided` with `once`, `stopped` by the signal, `idle` where there is no canary. */
export type AutoEnd = "promoted" | "rolled_back" | "idle" | "undecided" | "stopped";

/** What to do now, with the reason; pure. */
export type Step =
  | { action: "promote"; why: string }
  | { action: "rollback"; version: string; why: string }
  | { action: "raise"; to: number; why: string }
  | { action: "wait" | "idle"; why: string };

const WHOLE = 100;
/** Collectors decide when they are asked; the clocks of two machines may differ by minutes. */
const MAX_AGE_MS = 3_600_000;
/** Reasons to hold with which a canary is known to be no worse, by data that pages alone cannot make up. */
const NOT_WORSE: Decision["reason"][] = ["better", "not_worse"];

/**
 * The step that follows from the channel and the decision. A decision about other versions than the channel's is not followed. A rollback
 * always is; a raise or a promotion is not while the channel is on hold.
 */
export function nextStep(
  channel: Channel,
  decision: Decision,
  { steps, pause, isHeld, now }: Pick<AutoOptions, "steps" | "pause"> & { isHeld: boolean; now: number },
): Step {
  const canaries = canariesOf(channel);
  const canary = canaries.find((one) => versionOf(one) === decision.candidate?.version) ?? canaries[0];
  if (!canary) return { action: "idle", why: "the channel has no canary" };
  const problem = disagreement(channel, canary, decision);
  if (problem) return { action: "wait", why: `the collector disagrees with the channel: ${problem}` };
  const why = reasonText(decision);
  if (decision.action === "rollback") return { action: "rollback", version: versionOf(canary), why };
  if (canaries.length > 1) return { action: "wait", why: "the channel has several canaries; end all but one" };
  if (isHeld) return { action: "wait", why: "the channel is on hold; raise or promote it by hand to go on" };
  const age = Math.abs(now - new Date(decision.at).getTime());
  if (!(age <= MAX_AGE_MS))
    return {
      action: "wait",
      why: `the decision is not of this hour (${shownTime(decision.at)}); is a cache between, or a clock wrong?`,
    };
  const isWorse = decision.evidence.some(({ verdict }) => verdict === "worse");
  if (isWorse) return { action: "wait", why };
  if (decision.action === "promote") return { action: "promote", why };
  if (!NOT_WORSE.includes(decision.reason)) return { action: "wait", why };
  const share = percentOf(channel, canary);
  // All browsers at once only by a promotion: without a control beside it nothing could be compared any more.
  const to = steps.find((step) => step > share && step < WHOLE);
  if (to === undefined) return { action: "wait", why: `${why}; ${shown(share)} % is the last step before a promotion` };
  const since = now - Date.parse(channel.created ?? "");
  // A clock that went back counts as no time.
  if (pause > 0 && !(since >= pause))
    return { action: "wait", why: `${why}; the next step is ${shown(to)} %, after the pause` };
  return { action: "raise", to, why };
}

function shownTime(at: string | number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}

function disagreement(channel: Channel, canary: ChannelArm, { candidate, control }: Decision): string | undefined {
  const stable = stableOf(channel);
  if (!candidate) return `it has seen no version but ${control.version}`;
  if (candidate.version !== versionOf(canary))
    return `its candidate is ${candidate.version}, the canary is ${versionOf(canary)}`;
  if (control.version !== versionOf(stable)) return `its control is ${control.version}, stable is ${versionOf(stable)}`;
  return undefined;
}

/** Short enough for a history. */
function reasonText({ action, reason, evidence }: Decision): string {
  const notes = evidence
    .filter(({ verdict }) => verdict !== "unknown")
    .map(
      ({ metric, verdict, difference }) =>
        `${metric} ${verdict}${difference === undefined ? "" : ` by ${difference.toPrecision(2)}`}`,
    );
  return [`the collector says ${action}, ${reason.replace("_", " ")}`, ...notes].join("; ");
}

/** Looks until there is nothing left to do. What fails is printed and tried again at the next look; only `once` throws it. */
export async function followDecisions(
  target: ChannelTarget,
  collector: Collector,
  options: AutoOptions,
  say: (line: string) => void,
): Promise<AutoEnd> {
  const { signal } = collector;
  let said = "";
  for (;;) {
    let end: AutoEnd | undefined;
    try {
      const { step, channel, decision } = await look(target, collector, options);
      const text = `${step.action}: ${step.why}`;
      // A state that lasts is told once.
      if (text !== said || !["wait", "idle"].includes(step.action))
        say(
          [`${timeText()} release ${channel.release}, ${text}`, decision && decisionText(decision)]
            .filter(Boolean)
            .join("\n"),
        );
      said = text;
      end = await act(target, step, channel, options, say);
    } catch (error) {
      if (signal?.aborted) return "stopped";
      if (options.once || !isInsituError(error) || isFinal(error)) throw error;
      if (error.message !== said) say(`${timeText()} nothing done: ${error.message}`);
      said = error.message;
    }
    if (end) return end;
    if (options.once) return "undecided";
    if (await wait(options.every, signal)) return "stopped";
  }
}

/** What no waiting mends: a key file that is gone, wrong options. A channel that changed meanwhile is looked at again. */
const isFinal = ({ code, data }: InsituError): boolean =>
  data.final === true || (code === "http_4xx" && [401, 403].includes(Number(data.status)));

async function look(
  target: ChannelTarget,
  collector: Collector,
  { steps, pause }: AutoOptions,
): Promise<{ step: Step; channel: Channel; decision?: Decision }> {
  const state = await target.read();
  if (!state) {
    const message = `${target.where} does not exist. Begin with "insitu channel start".`;
    throw new InsituError("input_invalid", message, { final: true });
  }
  const { channel } = state;
  if (canariesOf(channel).length === 0) return { step: { action: "idle", why: "the channel has no canary" }, channel };
  const decision = await fetchDecision(collector, channel.model);
  const isHeld = isOnHold(await target.history());
  return { step: nextStep(channel, decision, { steps, pause, isHeld, now: Date.now() }), channel, decision };
}

/** Whether the last change was a hold. */
const isOnHold = (history: Change[]): boolean => history.at(-1)?.action === "hold";

async function act(
  target: ChannelTarget,
  step: Step,
  { release }: Channel,
  options: AutoOptions,
  say: (line: string) => void,
): Promise<AutoEnd | undefined> {
  if (step.action === "idle") return "idle";
  if (step.action === "wait") return undefined;
  const plan = (before: Channel) => {
    if (step.action === "raise") return planRaise(before, step.to, undefined);
    return step.action === "rollback" ? planRollback(before, step.version) : planPromote(before, undefined);
  };
  const next = async (state: ChannelState | undefined) => {
    const before = state?.channel as Channel;
    if (step.action !== "rollback") await verifyCanary(before, target, undefined);
    return plan(before);
  };
  // Only the state that was decided on: after another publisher's change it is looked at again.
  const why = options.why ? `${options.why}: ${step.why}` : step.why;
  const done = await publish(target, step.action, next, { ...options, why, ifRelease: release });
  say(`${timeText()} release ${done.channel.release}: ${[done.summary, ...done.followed].join("\n")}`);
  return step.action === "promote" ? "promoted" : step.action === "rollback" ? "rolled_back" : undefined;
}

const timeText = (): string => new Date().toISOString().replace(/\.\d+Z$/, "Z");

/** Returns true when the signal ended the wait. */
async function wait(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted) return true;
  await new Promise<void>((done) => {
    const stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      done();
    };
    const timer = setTimeout(stop, ms);
    signal?.addEventListener("abort", stop);
  });
  return signal?.aborted ?? false;
}
