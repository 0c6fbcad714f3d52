// When triggers start a training: each trigger by itself, with cool-down and hysteresis.
import { describe, expect, it } from "vitest";
import {
  checkTriggers,
  INITIAL_STATE,
  type TriggerInputs,
  type TriggerState,
} from "../../../../../src/page/lazy/personal/retrain-triggers.js";
import type { RetrainTriggers } from "../../../../../src/shared/types/personal.js";
import { wilsonInterval } from "../../../../../src/shared/wilson-interval.js";

const seen = (over: Partial<TriggerInputs["state"]> = {}, feedback = { labelled: 0, correct: 0 }): TriggerInputs => ({
  state: { version: 1, fresh: 0, again: 0, accuracy: 0.95, trainedAt: 0, ...over },
  feedback: { ...feedback, upper: wilsonInterval(feedback.correct, feedback.labelled)[1] },
});

/** What fires at these checks, a second apart. */
function fires(
  triggers: RetrainTriggers,
  checks: TriggerInputs[],
  memory: TriggerState = INITIAL_STATE,
): (string | undefined)[] {
  let now = 1_000_000;
  let held = memory;
  return checks.map((each) => {
    const found = checkTriggers(triggers, each, held, now);
    held = found.memory;
    now += 1_000;
    return found.fired?.trigger;
  });
}

describe("new examples", () => {
  it("fire at their number, not before", () => {
    expect(fires({ examples: 5 }, [seen({ fresh: 4 }), seen({ fresh: 5 })])).toEqual([undefined, "examples"]);
  });

  it("wait for the cool-down", () => {
    const checks = Array.from({ length: 5 }, () => seen({ fresh: 9 }));
    expect(fires({ examples: 5, coolDown: 3_000 }, checks)).toEqual([
      "examples",
      undefined,
      undefined,
      "examples",
      undefined,
    ]);
  });
});

describe("age", () => {
  it("fires only when there are new examples", () => {
    const now = 1_000_000;
    expect(checkTriggers({ age: 1_000 }, seen({ trainedAt: now - 1_000 }), INITIAL_STATE, now).fired).toBeUndefined();
    const due = checkTriggers({ age: 1_000 }, seen({ trainedAt: now - 1_000, fresh: 1 }), INITIAL_STATE, now);
    expect(due.fired).toMatchObject({ trigger: "age" });
    expect(
      checkTriggers({ age: 1_000 }, seen({ trainedAt: now - 999, fresh: 1 }), INITIAL_STATE, now).fired,
    ).toBeUndefined();
    expect(
      checkTriggers({ age: 1_000 }, seen({ trainedAt: undefined, fresh: 1 }), INITIAL_STATE, now).fired,
    ).toBeUndefined();
  });
});

describe("accuracy", () => {
  const triggers = { accuracy: 0.05, coolDown: 0 };
  // Wilson's upper bound of 20 of 30 is 0.808, of 26 of 30 it is 0.947.
  const bad = (labelled: number) => seen({}, { labelled, correct: Math.round((labelled * 2) / 3) });
  const good = (labelled: number) => seen({}, { labelled, correct: labelled });

  it("fires when the upper bound is under the baseline less delta at three checks with new feedback", () => {
    expect(fires(triggers, [bad(30), bad(31), bad(32), bad(33)])).toEqual([
      undefined,
      undefined,
      "accuracy",
      undefined,
    ]);
  });

  it("ignores checks without new feedback, and starts over after a good one", () => {
    expect(fires(triggers, [bad(30), bad(30), bad(30)])).toEqual([undefined, undefined, undefined]);
    expect(fires(triggers, [bad(30), bad(31), good(60), bad(90), bad(91)])).toEqual(Array(5).fill(undefined));
  });

  it("is armed again by another version, or once the accuracy recovered", () => {
    const other = (labelled: number) => seen({ version: 2 }, { labelled, correct: 0 });
    const checks = [bad(30), bad(31), bad(32), bad(33), bad(34), bad(35), other(30), other(31), other(32)];
    expect(fires(triggers, checks).filter(Boolean)).toEqual(["accuracy", "accuracy"]);
    const again = [bad(30), bad(31), bad(32), good(100), bad(200), bad(201), bad(202)];
    expect(fires(triggers, again).filter(Boolean)).toEqual(["accuracy", "accuracy"]);
  });

  it("does not fire with little feedback, or without held-out examples", () => {
    expect(fires(triggers, [bad(3), bad(4), bad(5), bad(6)])).toEqual(Array(4).fill(undefined));
    const unknown = [30, 31, 32, 33].map((n) => seen({ accuracy: undefined }, { labelled: n, correct: 0 }));
    expect(fires(triggers, unknown)).toEqual(Array(4).fill(undefined));
  });
});

it("an update of the base model fires where inputs were kept", () => {
  expect(fires({ examples: 100 }, [seen({ version: 0, again: 3 })])).toEqual(["update"]);
  expect(fires({ examples: 100 }, [seen({ version: 2, again: 3 })])).toEqual([undefined]);
});

it("nothing fires when no trigger is on", () => {
  expect(fires({}, [seen({ fresh: 1_000 }, { labelled: 500, correct: 0 })])).toEqual([undefined]);
});
