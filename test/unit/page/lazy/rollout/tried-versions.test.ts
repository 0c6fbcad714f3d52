// Which versions are tried, in which order; and what follows from a load that failed.
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Choice,
  chooseTargets,
  knownGoodTarget,
  rollbackTargets,
} from "../../../../../src/page/lazy/rollout/choose-version.js";
import { blockOf, createBackoff } from "../../../../../src/page/lazy/rollout/load-failures.js";
import { ERROR_CODES, type ErrorCode, InsituError } from "../../../../../src/shared/errors.js";
import type { BlockedVersion, ChannelArm } from "../../../../../src/shared/types/rollout.js";

const BASE = "https://host.example/m/channel.json";
const at = (version: string) => `https://host.example/m/${version}/`;
const arm = (version: string, role: ChannelArm["role"], weight = 1): ChannelArm => ({
  package: `./${version}/`,
  version,
  role,
  weight,
});
const STABLE = arm("2.0.0", "stable");
const CANARY = arm("3.0.0", "canary");
const GOOD = { package: at("1.0.0"), version: "1.0.0", digest: "d" };

const choice = (changes: Partial<Choice> = {}): Choice => ({
  base: BASE,
  channel: { model: "m", release: 5, salt: "s", arms: [STABLE, CANARY, arm("4.0.0", "shadow", 0)] },
  assigned: CANARY,
  blocked: [],
  ...changes,
});
const blocked = (version: string, reason: BlockedVersion["reason"], release = 5): BlockedVersion => ({
  package: at(version),
  version,
  reason,
  detail: "",
  release,
  at: 0,
  count: 9,
});
const versions = (targets: { version: string }[]) => targets.map(({ version }) => version);

describe("tried are", () => {
  const cases: [what: string, changes: Partial<Choice>, expected: string[]][] = [
    ["the assigned one and the stable one", {}, ["3.0.0", "2.0.0"]],
    ["the stable one once, where it is assigned", { assigned: STABLE }, ["2.0.0"]],
    ["the last known good one at last", { lastGood: GOOD }, ["3.0.0", "2.0.0", "1.0.0"]],
    ["no blocked ones", { blocked: [blocked("3.0.0", "failures")], lastGood: GOOD }, ["2.0.0", "1.0.0"]],
    [
      "one that could not be loaded again with the next release",
      { blocked: [blocked("3.0.0", "load", 4)] },
      ["3.0.0", "2.0.0"],
    ],
    ["not with the same release", { blocked: [blocked("3.0.0", "load")] }, ["2.0.0"]],
    ["none where all are blocked", { blocked: [blocked("3.0.0", "load"), blocked("2.0.0", "self_test")] }, []],
  ];
  test.each(cases)("%s", (_what, changes, expected) => {
    expect(versions(chooseTargets(choice(changes)))).toEqual(expected);
  });
});

test("a rollback goes to what ran well here, then to the stable one, and not to what is left", () => {
  expect(versions(rollbackTargets(choice({ lastGood: GOOD }), at("3.0.0")))).toEqual(["1.0.0", "2.0.0"]);
  expect(versions(rollbackTargets(choice(), at("3.0.0")))).toEqual(["2.0.0"]);
  expect(versions(rollbackTargets(choice({ assigned: STABLE }), at("2.0.0")))).toEqual([]);
});

test("the last known good version has the role that the channel gives it, else it is stable; a shadow's is not taken over", () => {
  const canary = { package: at("3.0.0"), version: "3.0.0", digest: "d" };
  expect(knownGoodTarget(choice({ lastGood: canary }))).toMatchObject({ role: "canary", version: "3.0.0" });
  expect(knownGoodTarget(choice({ lastGood: GOOD }))).toMatchObject({ role: "stable", package: at("1.0.0") });
  const shadow = { package: at("4.0.0"), version: "4.0.0", digest: "d" };
  expect(knownGoodTarget(choice({ lastGood: shadow }))).toMatchObject({ role: "stable" });
});

describe("a load that failed", () => {
  const [target] = chooseTargets(choice());
  const blockFor = (code: ErrorCode, data = {}) =>
    blockOf(target as NonNullable<typeof target>, new InsituError(code, "why", data), choice().channel);
  const lasting = new Set<ErrorCode>([
    "model_integrity",
    "model_signature",
    "model_rollback",
    "model_format",
    "model_too_large",
  ]);
  test.each(ERROR_CODES)("with %s blocks the version only if it is the version's own fault", (code) => {
    expect(blockFor(code) !== undefined).toBe(lasting.has(code));
  });
  test("since the page asked for another task blocks nothing", () => {
    expect(blockFor("model_format", { task: "raw", wanted: "detection" })).toBeUndefined();
  });
  test("is told with the release from which on it is tried again", () => {
    expect(blockFor("model_integrity")).toMatchObject({ version: "3.0.0", reason: "load", detail: "why", release: 5 });
  });
});

describe("a version that may work later", () => {
  afterEach(() => void vi.useRealTimers());
  test("rests for one interval, then for two, four …, at most 256", () => {
    vi.useFakeTimers();
    const backoff = createBackoff(1_000);
    for (const intervals of [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]) {
      backoff.failed("a");
      vi.advanceTimersByTime(intervals * 1_000 - 1);
      expect([backoff.isResting("a"), backoff.isResting("b")]).toEqual([true, false]);
      vi.advanceTimersByTime(1);
      expect(backoff.isResting("a")).toBe(false);
    }
    backoff.failed("a");
    backoff.clear();
    expect(backoff.isResting("a")).toBe(false);
  });
});
