// Decides when a trigger starts a training of a personal model; pure.
import type { PersonalState, RetrainTriggers, TriggerOutcome } from "../../../shared/types/personal.js";

/** What a check of the triggers depends on. */
export interface TriggerInputs {
  state: Pick<PersonalState, "version" | "fresh" | "again" | "accuracy" | "trainedAt">;
  /** Predictions of the version in use whose truth is known; `upper` is the upper bound of Wilson's 95 % interval of their accuracy. */
  feedback: { labelled: number; correct: number; upper: number };
}

/** What is remembered between checks. */
export interface TriggerState {
  /** Version and amount of feedback at the last check. */
  version: number;
  labelled: number;
  /** Checks in a row at which the accuracy was too low. */
  low: number;
  /** False from when the accuracy trigger fired until the accuracy recovered, or another version is used. */
  armed: boolean;
  /** When a trigger last fired, in epoch milliseconds. */
  firedAt: number;
}

export const INITIAL_STATE: TriggerState = {
  version: -1,
  labelled: 0,
  low: 0,
  armed: true,
  firedAt: Number.NEGATIVE_INFINITY,
};

export interface TriggerCheck {
  memory: TriggerState;
  fired?: Pick<TriggerOutcome, "trigger" | "why">;
}

// One unlucky check must not start a training.
const MIN_LOW_CHECKS = 3;
const COOL_DOWN_MS = 30_000;

export function checkTriggers(
  triggers: RetrainTriggers,
  inputs: TriggerInputs,
  before: TriggerState,
  now: number,
): TriggerCheck {
  const memory = watchAccuracy(triggers, inputs, before);
  const fired = due(triggers, inputs, memory, now);
  const isCool = now - memory.firedAt >= (triggers.coolDown ?? COOL_DOWN_MS);
  if (!fired || !isCool) return { memory };
  const armed = fired.trigger === "accuracy" ? false : memory.armed;
  return { memory: { ...memory, armed, low: 0, firedAt: now }, fired };
}

/** Counts checks at which even the upper end of the interval of the accuracy by feedback is under the accuracy on held-out examples. */
function watchAccuracy(
  { accuracy: delta }: RetrainTriggers,
  { state, feedback }: TriggerInputs,
  before: TriggerState,
): TriggerState {
  const fresh = state.version === before.version ? before : { ...before, low: 0, armed: true, labelled: 0 };
  const memory = { ...fresh, version: state.version, labelled: feedback.labelled };
  const isNews = feedback.labelled > fresh.labelled;
  if (delta === undefined || state.accuracy === undefined || !isNews) return memory;
  const isLow = feedback.upper < state.accuracy - delta;
  return isLow ? { ...memory, low: fresh.low + 1 } : { ...memory, low: 0, armed: true };
}

function due(
  triggers: RetrainTriggers,
  { state, feedback }: TriggerInputs,
  memory: TriggerState,
  now: number,
): TriggerCheck["fired"] {
  const { examples, age, accuracy: delta } = triggers;
  if (state.again > 0 && state.version === 0)
    return { trigger: "update", why: `The base model was updated: ${state.again} kept inputs can be embedded again.` };
  if (examples !== undefined && state.fresh >= examples)
    return { trigger: "examples", why: `${state.fresh} new examples; the trigger is ${examples}.` };
  if (delta !== undefined && memory.armed && memory.low >= MIN_LOW_CHECKS) {
    const why = `${feedback.correct} of ${feedback.labelled} predictions were correct, at most ${share(feedback.upper)} at 95 % confidence; on held-out examples it was ${share(state.accuracy ?? 0)}, and may fall by ${share(delta)}.`;
    return { trigger: "accuracy", why };
  }
  if (age !== undefined && state.trainedAt !== undefined && state.fresh > 0 && now - state.trainedAt >= age)
    return {
      trigger: "age",
      why: `The last training was ${Math.round((now - state.trainedAt) / 1000)} s ago, and there are ${state.fresh} new examples.`,
    };
  return undefined;
}

const share = (value: number) => `${(100 * value).toFixed(1)} %`;
