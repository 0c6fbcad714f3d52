// What is remembered of a model between checks, and what holds a trigger back: an open run, the cool-down, no recovery yet; pure.
import type { ModelConfig } from "./config.js";
import { hasFailed, isOpen, type ModelMemory, type Run } from "./run.js";
import type { Clocks, Verdict } from "./triggers.js";

export type HeldBack = "running" | "cool_down" | "not_recovered";

/** `version` is the stable one now; an empty text when none was seen lately. */
export function remember(known: ModelMemory | undefined, model: string, version: string, now: number): ModelMemory {
  if (!known) return { model, version, seenAt: now, cronAt: now, disarmed: [] };
  if (version === "" || version === known.version) return { ...known };
  // Another version has an accuracy of its own.
  return { ...known, version, seenAt: now, disarmed: [] };
}

/** `runs`: the newest first. */
export function clocksOf(memory: ModelMemory, runs: readonly Run[], now: number): Clocks {
  const labelsFrom = runs.find((run) => !hasFailed(run))?.firedAt ?? 0;
  return { now, labelsFrom, ageFrom: Math.max(memory.seenAt, labelsFrom), cronAt: memory.cronAt };
}

/** Triggers that have recovered may fire again, and all of them after a run that failed. */
export function rearm(memory: ModelMemory, verdicts: readonly Verdict[], [last]: readonly Run[]): ModelMemory {
  if (last && hasFailed(last)) return { ...memory, disarmed: [] };
  const recovered = verdicts.filter(({ isRecovered }) => isRecovered).map(({ trigger }) => trigger);
  return { ...memory, disarmed: memory.disarmed.filter((trigger) => !recovered.includes(trigger)) };
}

export function holdOf(runs: readonly Run[], config: ModelConfig, now: number): HeldBack | null {
  if (runs.some(isOpen)) return "running";
  return coolsUntil(runs, config, now) === null ? null : "cool_down";
}

/** Epoch milliseconds; null when nothing cools down. */
export function coolsUntil([last]: readonly Run[], { coolDown }: ModelConfig, now: number): number | null {
  if (!last || isOpen(last)) return null;
  const until = last.changedAt + coolDown;
  return until > now ? until : null;
}
