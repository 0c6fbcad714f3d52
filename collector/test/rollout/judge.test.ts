// The decision's guarantees by simulation: equal candidates survive every look, worse ones are found, margins hold, too little says nothing.
import { describe, expect, it } from "vitest";
import { emptyMoments, growCluster } from "../../src/evidence/moments.js";
import { SECONDS_SUM } from "../../src/evidence/subjects.js";
import type { Judgement } from "../../src/rollout/decision-types.js";
import { type Day, judge } from "../../src/rollout/judge.js";
import { type Arm, EQUAL, emptyDay, report, tell } from "../support/arms.js";
import { BOUNDS } from "../support/otlp.js";
import { randomOf } from "../support/random.js";

const SENDERS_A_LOOK = 20;
const LOOKS_A_DAY = 20;

interface Run {
  last: Judgement;
  looks: number;
  /** Labels of the candidate until the end. */
  labels: number;
}

/** Days with a look after every batch, until `isDone` or the end. A tenth of the senders has the candidate. */
function simulate(
  seed: number,
  candidate: Arm,
  days: number,
  isDone: (judgement: Judgement) => boolean,
  { share = 0.1, labelled = 0.05, trusted = 0 } = {},
): Run {
  const random = randomOf(seed);
  const all: Day[] = [];
  let [labels, looks] = [0, 0];
  let last = judge([], BOUNDS);
  for (let d = 0; d < days; d += 1) {
    const day = emptyDay();
    all.push(day);
    for (let look = 0; look < LOOKS_A_DAY; look += 1) {
      for (let i = 0; i < SENDERS_A_LOOK; i += 1) {
        const isCandidate = random.isTrue(share);
        const added = report(
          day,
          isCandidate ? "candidate" : "control",
          isCandidate ? candidate : EQUAL,
          random,
          labelled,
        );
        if (isCandidate) labels += added;
      }
      if (trusted > 0) {
        tell(day, "control", EQUAL.accuracy, trusted, random);
        tell(day, "candidate", candidate.accuracy, trusted, random);
      }
      looks += 1;
      last = judge(all, BOUNDS);
      if (isDone(last)) return { last, looks, labels };
    }
  }
  return { last, looks, labels };
}

const quantile = (values: number[], q: number) => values.sort((a, b) => a - b)[Math.floor(q * values.length)] as number;

describe("an equal candidate", () => {
  it("is rolled back in at most 5 of 100 seeds, with a look after every batch, and called slow in fewer", () => {
    const seeds = 200;
    let [rolledBack, slow] = [0, 0];
    for (let seed = 0; seed < seeds; seed += 1) {
      let isSlow = false;
      const { last } = simulate(seed, EQUAL, 8, (judgement) => {
        isSlow ||= judgement.reason === "latency";
        return judgement.action === "rollback";
      });
      if (last.action === "rollback") rolledBack += 1;
      if (isSlow) slow += 1;
    }
    console.log(`equal candidate: ${rolledBack} of ${seeds} rolled back, ${slow} called slow`);
    expect(rolledBack).toBeLessThanOrEqual(0.05 * seeds);
    expect(slow).toBeLessThanOrEqual(0.03 * seeds);
  });

  it("is promoted by trusted outcomes as not worse", () => {
    const { last } = simulate(3, EQUAL, 20, ({ action }) => action !== "hold", { trusted: 60 });
    expect([last.action, last.reason]).toEqual(["promote", "not_worse"]);
  });

  it("is not promoted by what pages say", () => {
    const { last } = simulate(4, EQUAL, 12, () => false, { share: 0.5, labelled: 1 });
    expect([last.action, last.reason]).toEqual(["hold", "untrusted"]);
    expect(last.evidence.find(({ metric }) => metric === "accuracy")?.verdict).toBe("equivalent");
  });
});

describe("a worse candidate", () => {
  it("by 6 points is rolled back, with labels of 5 % of the predictions", () => {
    const worse = { ...EQUAL, accuracy: EQUAL.accuracy - 0.06 };
    const needed: number[] = [];
    let found = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const { last, labels } = simulate(1000 + seed, worse, 40, ({ action }) => action === "rollback", { share: 0.3 });
      if (last.action === "rollback" && last.reason === "accuracy") found += 1;
      needed.push(labels);
    }
    console.log(
      `6 points less: found in ${found} of 100, after ${quantile(needed, 0.5)} labels of the candidate (median), ${quantile(needed, 0.95)} (95 %)`,
    );
    expect(found).toBeGreaterThanOrEqual(95);
    expect(quantile(needed, 0.95)).toBeLessThan(2_500);
  });

  it("by the margin is promoted in at most 5 of 100 seeds", () => {
    let promoted = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const worse = { ...EQUAL, accuracy: EQUAL.accuracy - 0.02 };
      const { last } = simulate(2000 + seed, worse, 3, ({ action }) => action === "promote", { trusted: 60 });
      if (last.action === "promote") promoted += 1;
    }
    console.log(`worse by the margin: ${promoted} of 100 promoted`);
    expect(promoted).toBeLessThanOrEqual(5);
  });

  it("that fails more often is rolled back", () => {
    const { last } = simulate(5, { ...EQUAL, failures: 0.05 }, 20, ({ action }) => action !== "hold");
    expect([last.action, last.reason]).toEqual(["rollback", "errors"]);
  });
});

describe("a better candidate", () => {
  it("is promoted by trusted outcomes", () => {
    let promoted = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const better = { ...EQUAL, accuracy: EQUAL.accuracy + 0.04 };
      const { last } = simulate(seed, better, 10, ({ action }) => action !== "hold", { trusted: 30 });
      if (last.action === "promote") promoted += 1;
    }
    expect(promoted).toBeGreaterThanOrEqual(19);
  });
});

describe("a slow candidate", () => {
  it("by half is held", () => {
    let held = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const { last } = simulate(seed, { ...EQUAL, slowdown: 1.5 }, 10, ({ reason }) => reason === "latency", {
        share: 0.3,
      });
      if (last.action === "hold" && last.reason === "latency") held += 1;
    }
    expect(held).toBeGreaterThanOrEqual(19);
  });

  it.each([
    ["within a bucket", 0.0075],
    ["at the edge of a bucket", 0.00996],
  ])("by 1 % is not, of a million predictions, %s", (_name, seconds) => {
    const arm = (value: number) => {
      const moments = emptyMoments(SECONDS_SUM + 1);
      const random = randomOf(1);
      for (let sender = 0; sender < 5_000; sender += 1) {
        const counts = new Array<number>(SECONDS_SUM + 1).fill(0);
        for (let i = 0; i < 200; i += 1) {
          const one = value * (1 + 0.0001 * random.normal());
          const place = BOUNDS.findIndex((bound) => one <= bound);
          counts[place] = (counts[place] ?? 0) + 1;
          counts[SECONDS_SUM] = (counts[SECONDS_SUM] ?? 0) + one;
        }
        growCluster(moments, undefined, counts);
      }
      return moments;
    };
    const judged = (factor: number) =>
      judge([{ runs: { control: arm(seconds), candidate: arm(seconds * factor) } }], BOUNDS).evidence.find(
        ({ metric }) => metric === "latency",
      );
    expect(judged(1.01)).toMatchObject({ verdict: "equivalent" });
    expect(judged(2)).toMatchObject({ verdict: "worse" });
  });
});

describe("too little", () => {
  it("says nothing: no days, one sender, or 49 values", () => {
    expect(judge([], BOUNDS)).toEqual({
      action: "hold",
      reason: "not_enough",
      missing: [expect.stringContaining("--trusted-key")],
      evidence: [],
    });
    const of = (clusters: number, each: number[]) => {
      const moments = emptyMoments(2);
      for (let i = 0; i < clusters; i += 1) growCluster(moments, undefined, each);
      return [{ moments }];
    };
    const judged = (control: ReturnType<typeof of>, candidate: ReturnType<typeof of>) =>
      judge([{ outcomes: { control, candidate } }], BOUNDS);
    expect(judged(of(100, [50, 0]), of(1, [0, 50])).action).toBe("hold");
    expect(judged(of(100, [50, 0]), of(49, [0, 1])).action).toBe("hold");
    expect(judged(of(100, [50, 0]), of(6, [0, 7])).missing).toEqual([
      "Accuracy, pages: candidate has 42 of 50 values.",
      "Accuracy, pages: candidate has 6 of 10 senders (each counts once a day).",
      expect.stringContaining("--trusted-key"),
    ]);
    const trusted = judge([{ trusted: { control: of(200, [1, 0]), candidate: of(60, [1, 0]) } }], BOUNDS);
    expect(trusted.reason).toBe("not_enough");
    expect(trusted.missing).toEqual([
      expect.stringMatching(/^Accuracy, trusted: the difference may still be −\d+\.\d points; over −2\.0 is needed\.$/),
    ]);
    expect(judged(of(100, [50, 0]), of(60, [0, 1])).action).toBe("rollback");
  });

  it("keeps every number finite", () => {
    const empty = emptyDay();
    const numbers = JSON.stringify(judge([empty, empty], BOUNDS));
    expect(numbers).not.toContain("null");
  });
});
