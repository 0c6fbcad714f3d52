// Which versions may run and in which order they are tried: blocks, what ends them, and where a rollback goes.
import { describe, expect, test } from "vitest";
import {
  type Choice,
  chooseTargets,
  isBlocked,
  knownGoodTarget,
  repairedTarget,
  rollbackTargets,
} from "../../../../../src/page/lazy/rollout/choose-version.js";
import type { BlockedVersion, Channel, ChannelArm } from "../../../../../src/shared/types/rollout.js";

const URL_ = "https://site.example/models/channel.json";
const at = (version: string) => `https://site.example/models/${version}/`;
const arm = (version: string, role: ChannelArm["role"], weight = 1): ChannelArm => ({
  package: `./${version}/`,
  version,
  role,
  weight,
});
const CANARY = arm("1.1.0", "canary");
const channel = (changes: Partial<Channel> = {}): Channel => ({
  model: "digits",
  release: 5,
  salt: "s",
  arms: [arm("1.0.0", "stable"), CANARY, arm("1.2.0", "shadow", 0)],
  ...changes,
});
const block = (version: string, changes: Partial<BlockedVersion> = {}): BlockedVersion => ({
  package: at(version),
  version,
  digest: "d1",
  reason: "failures",
  detail: "failed",
  count: 5,
  limit: 5,
  release: 5,
  at: 0,
  ...changes,
});
const choice = (changes: Partial<Choice> = {}): Choice => ({
  base: URL_,
  channel: channel(),
  assigned: CANARY,
  blocked: [],
  ...changes,
});
const versions = (targets: { version: string }[]) => targets.map(({ version }) => version);

describe("a block", () => {
  const of = (blocked: BlockedVersion, now: Partial<Channel> = {}) =>
    isBlocked(at("1.1.0"), { blocked: [blocked], channel: channel(now) });

  test("after a breach holds over releases, until the limit allows what was measured", () => {
    expect(of(block("1.1.0"))).toBe(true);
    expect(of(block("1.1.0"), { release: 99 })).toBe(true);
    expect(of(block("1.1.0"), { guardrails: { failures: 5 } })).toBe(true);
    expect(of(block("1.1.0"), { guardrails: { failures: 6 } })).toBe(false);
    expect(of(block("1.1.0", { reason: "self_test", count: 2 }), { guardrails: { failures: 99 } })).toBe(true);
  });

  test("after a load that failed ends with the next release", () => {
    expect(of(block("1.1.0", { reason: "load" }))).toBe(true);
    expect(of(block("1.1.0", { reason: "load" }), { release: 6 })).toBe(false);
  });

  test("is that of one folder", () => {
    expect(of(block("1.1.1"))).toBe(false);
  });
});

const GOOD = { package: at("0.9.0"), version: "0.9.0", digest: "d" };

describe("tried are", () => {
  const failedToLoad = (release: number) => block("1.1.0", { reason: "load", release });
  const cases: [what: string, changes: Partial<Choice>, expected: string[]][] = [
    ["the assigned one and the stable one, never the shadow", {}, ["1.1.0", "1.0.0"]],
    ["the stable one once, where it is assigned", { assigned: arm("1.0.0", "stable") }, ["1.0.0"]],
    ["the last known good one at last", { lastGood: GOOD }, ["1.1.0", "1.0.0", "0.9.0"]],
    ["no blocked ones", { blocked: [block("1.1.0")], lastGood: GOOD }, ["1.0.0", "0.9.0"]],
    ["one that could not be loaded, with the next release", { blocked: [failedToLoad(4)] }, ["1.1.0", "1.0.0"]],
    ["not with the same release", { blocked: [failedToLoad(5)] }, ["1.0.0"]],
    ["none where all are blocked", { blocked: [failedToLoad(5), block("1.0.0", { reason: "self_test" })] }, []],
  ];
  test.each(cases)("%s", (_what, changes, expected) => {
    expect(versions(chooseTargets(choice(changes)))).toEqual(expected);
  });

  test("each with the limit of crashes", () => {
    expect(chooseTargets(choice({ lastGood: GOOD })).map(({ maxCrashes }) => maxCrashes)).toEqual([2, 2, 2]);
    const three = channel({ guardrails: { crashes: 3 } });
    expect(chooseTargets(choice({ channel: three }))[0]?.maxCrashes).toBe(3);
  });
});

test("a rollback goes to what ran well here, and never to what is left or blocked", () => {
  expect(versions(rollbackTargets(choice({ lastGood: GOOD }), at("1.1.0")))).toEqual(["0.9.0", "1.0.0"]);
  expect(versions(rollbackTargets(choice(), at("1.1.0")))).toEqual(["1.0.0"]);
  expect(versions(rollbackTargets(choice({ blocked: [block("1.0.0")] }), at("1.1.0")))).toEqual([]);
  expect(versions(rollbackTargets(choice({ assigned: arm("1.0.0", "stable") }), at("1.0.0")))).toEqual([]);
});

test("the last known good version has the role that the channel gives it, else it is stable; a shadow's is not taken over", () => {
  const good = (version: string) => ({ package: at(version), version, digest: "d" });
  expect(knownGoodTarget(choice({ lastGood: good("1.1.0") }))).toMatchObject({ role: "canary", version: "1.1.0" });
  expect(knownGoodTarget(choice({ lastGood: GOOD }))).toMatchObject({ role: "stable", package: at("0.9.0") });
  expect(knownGoodTarget(choice({ lastGood: good("1.2.0") }))).toMatchObject({ role: "stable" });
});

test("a folder that is named again by a higher release is asked once for what it holds", () => {
  const running = at("1.0.0");
  expect(repairedTarget(choice(), running)).toEqual([]);
  expect(repairedTarget(choice({ blocked: [block("1.1.0")] }), running)).toEqual([]);
  const older = block("1.1.0", { release: 4 });
  expect(repairedTarget(choice({ blocked: [older] }), running)).toMatchObject([{ version: "1.1.0", not: "d1" }]);
  expect(repairedTarget(choice({ blocked: [older] }), at("1.1.0"))).toEqual([]);
  // Of what could not be opened there is no digest to compare.
  expect(repairedTarget(choice({ blocked: [{ ...older, digest: undefined }] }), running)).toEqual([]);
  expect(repairedTarget(choice({ blocked: [block("1.0.0", { release: 4 })] }), running)).toEqual([]);
});
