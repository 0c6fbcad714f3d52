// The next release of a channel for each command: shares, who moves, and what is refused.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type ArmPackage,
  type Plan,
  percentOf,
  planHold,
  planPromote,
  planRaise,
  planReturn,
  planRollback,
  planStart,
  summaryOf,
} from "../../../src/cli/channel/plan.js";
import { assignArm } from "../../../src/shared/rollout/assign-arm.js";
import { parseChannel } from "../../../src/shared/rollout/parse-channel.js";
import type { Channel } from "../../../src/shared/types/rollout.js";
import { refusal } from "../../support/manifests.js";

const WHERE = "https://host.example/models/digits/channel.json";
const pack = (version: string, model = "digits"): ArmPackage => ({
  package: `./${version}/`,
  version,
  model,
  signedBy: [],
  isTested: true,
});

/** As a page reads it. */
const channelOf = (plan: Plan, release = 1): Channel => parseChannel(JSON.stringify({ ...plan, release }), WHERE);

const started = (weight = 5): Channel =>
  channelOf(planStart(undefined, { stable: pack("1.0.0"), canary: pack("1.1.0"), weight, salt: "s" }, WHERE));

const sha256 = async (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const armsOf = (channel: Channel, seeds: number): Promise<string[]> =>
  Promise.all(
    Array.from({ length: seeds }, async (_, seed) => (await assignArm(channel, String(seed), sha256)).package),
  );

describe("start", () => {
  it("gives the canary its percent and the stable version the rest", () => {
    expect(summaryOf(started(5))).toBe("stable 1.0.0 95 %, canary 1.1.0 5 %");
    expect(summaryOf(started(0.25))).toBe("stable 1.0.0 99.75 %, canary 1.1.0 0.25 %");
  });

  it("keeps salt, guardrails and shadow of the channel that is there", () => {
    const first = channelOf(
      planStart(
        undefined,
        { stable: pack("1.0.0"), shadow: pack("2.0.0"), share: 0.2, guardrails: { failures: 3 }, salt: "first" },
        WHERE,
      ),
    );
    const next = planStart(first, { canary: pack("1.1.0"), salt: "other" }, WHERE);
    expect(next).toMatchObject({ salt: "first", guardrails: { failures: 3 } });
    expect(next.arms.find(({ role }) => role === "shadow")).toMatchObject({ package: "./2.0.0/", share: 0.2 });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "no channel and no stable version",
      () => planStart(undefined, { canary: pack("1.1.0"), salt: "s" }, WHERE),
      /Pass --stable/,
    ],
    ["nothing to start", () => planStart(started(), { salt: "s" }, WHERE), /nothing is to be started/],
    [
      "another model",
      () => planStart(started(), { canary: pack("9.0.0", "objects"), salt: "s" }, WHERE),
      /is the model objects/,
    ],
    [
      "a second canary",
      () => planStart(started(), { canary: pack("1.2.0"), salt: "s" }, WHERE),
      /1\.1\.0 is a canary already/,
    ],
    [
      "another stable version below a canary",
      () => planStart(started(), { stable: pack("0.9.0"), salt: "s" }, WHERE),
      /promote or rollback first/,
    ],
    [
      "one version in two roles",
      () => planStart(started(), { shadow: pack("1.1.0"), salt: "s" }, WHERE),
      /both canary and shadow/,
    ],
    [
      "another salt below a canary",
      () => planStart(started(), { canary: pack("1.1.0"), salt: "s", newSalt: "t" }, WHERE),
      /would move browsers/,
    ],
    [
      "canaries of more than everybody",
      () => planStart(started(60), { canary: pack("1.2.0"), weight: 50, several: true, salt: "s" }, WHERE),
      /110 % in all/,
    ],
  ])("refuses %s", (_what, run, message) => {
    expect(refusal(run)).toMatchObject({ code: "input_invalid", message: expect.stringMatching(message) });
  });

  it("starts a second canary on request", () => {
    const two = planStart(started(), { canary: pack("1.2.0"), weight: 10, several: true, salt: "s" }, WHERE);
    expect(summaryOf(two)).toBe("stable 1.0.0 85 %, canary 1.1.0 5 %, canary 1.2.0 10 %");
  });
});

describe("raise", () => {
  it("moves nobody off the canary, and only from the stable version", async () => {
    const before = started(5);
    const after = channelOf(planRaise(before, 25, undefined), 2);
    expect(summaryOf(after)).toBe("stable 1.0.0 75 %, canary 1.1.0 25 %");
    const [old, now] = [await armsOf(before, 5_000), await armsOf(after, 5_000)];
    const left = old.filter((arm, seed) => arm === "./1.1.0/" && now[seed] !== "./1.1.0/");
    const came = old.filter((arm, seed) => arm === "./1.0.0/" && now[seed] === "./1.1.0/");
    expect(left).toEqual([]);
    // 20 of 100 move; the standard error is 0.6.
    expect(came.length / 50).toBeGreaterThan(17);
    expect(came.length / 50).toBeLessThan(23);
  });

  it("reads weights that were written by hand as shares", () => {
    const byHand = parseChannel(
      JSON.stringify({
        model: "digits",
        release: 3,
        salt: "s",
        arms: [
          { package: "./1.0.0/", weight: 3, role: "stable" },
          { package: "./1.1.0/", weight: 1, role: "canary" },
        ],
      }),
      WHERE,
    );
    expect(summaryOf(planRaise(byHand, 50, undefined))).toBe("stable 1.0.0 50 %, canary 1.1.0 50 %");
    expect(refusal(() => planRaise(byHand, 25, undefined)).message).toContain("has 25 % already");
  });

  it("asks which of several canaries, and refuses what is none", () => {
    const two = channelOf(planStart(started(), { canary: pack("1.2.0"), weight: 10, several: true, salt: "s" }, WHERE));
    expect(refusal(() => planRaise(two, 50, undefined)).message).toContain("Pass --arm");
    expect(summaryOf(planRaise(two, 50, "1.2.0"))).toBe("stable 1.0.0 45 %, canary 1.1.0 5 %, canary 1.2.0 50 %");
    expect(refusal(() => planRaise(two, 50, "1.0.0")).message).toContain("1.0.0 is not a canary");
    expect(refusal(() => planRaise(channelOf(planPromote(started(), undefined)), 50, undefined)).message).toContain(
      "no canary to raise",
    );
  });
});

describe("hold, promote, rollback", () => {
  it("holds without a change of shares", () => {
    const { arms } = planHold(started(20));
    expect(arms.map((arm) => percentOf({ arms }, arm))).toEqual([80, 20]);
    expect(refusal(() => planHold(channelOf(planPromote(started(), undefined)))).message).toContain(
      "no canary to hold",
    );
  });

  it("promotes the canary for all browsers", () => {
    expect(planPromote(started(), undefined).arms).toEqual([
      { package: "./1.1.0/", weight: 100, role: "stable", version: "1.1.0" },
    ]);
  });

  it("ends the canaries, or the one that is named", () => {
    const two = channelOf(planStart(started(), { canary: pack("1.2.0"), weight: 10, several: true, salt: "s" }, WHERE));
    expect(summaryOf(planRollback(two, undefined))).toBe("stable 1.0.0 100 %");
    expect(summaryOf(planRollback(two, "1.2.0"))).toBe("stable 1.0.0 95 %, canary 1.1.0 5 %");
  });

  it("returns to a version that is named, and to no other model", () => {
    const stable = channelOf(planPromote(started(), undefined));
    expect(summaryOf(planReturn(stable, pack("1.0.0")))).toBe("stable 1.0.0 100 %");
    expect(refusal(() => planReturn(stable, pack("1.1.0"))).message).toContain("nothing to roll back");
    expect(refusal(() => planReturn(stable, pack("1.0.0", "objects"))).message).toContain("is the model objects");
  });
});
