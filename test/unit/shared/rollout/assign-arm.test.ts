// Which arm a browser is on: shares, and who moves when a weight changes.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { assignArm } from "../../../../src/shared/rollout/assign-arm.js";
import type { Channel, ChannelArm } from "../../../../src/shared/types/rollout.js";

const sha256 = async (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const SEEDS = Array.from({ length: 100_000 }, (_, index) => `seed-${index}`);
const FEW = SEEDS.slice(0, 20_000);

const arm = (name: string, weight: number, role: ChannelArm["role"] = "canary"): ChannelArm => ({
  package: `./${name}/`,
  weight,
  role,
});
const channel = (arms: ChannelArm[], salt = "s"): Channel => ({ model: "m", release: 1, salt, arms });

async function assignAll(given: Channel, seeds = FEW): Promise<string[]> {
  return Promise.all(seeds.map(async (seed) => (await assignArm(given, seed, sha256)).package));
}

const sharesOf = (packages: string[]): Record<string, number> => {
  const shares: Record<string, number> = {};
  for (const each of packages) shares[each] = (shares[each] ?? 0) + 1 / packages.length;
  return shares;
};

test.each([
  [SEEDS, [95, 5]],
  [SEEDS, [1, 2, 3, 4]],
  [FEW, [0.001, 0.003]],
  [FEW, [1e6, 1e6, 2e6]],
])("seeds are spread over arms by their weights, within 1 percent", async (seeds, weights) => {
  const arms = weights.map((weight, index) => arm(`v${index}`, weight));
  const shares = sharesOf(await assignAll(channel(arms), seeds));
  const total = weights.reduce((sum, weight) => sum + weight);
  for (const [index, weight] of weights.entries())
    expect(Math.abs((shares[`./v${index}/`] ?? 0) - weight / total)).toBeLessThan(0.01);
});

test("each of 16 equal arms gets its share, whatever the salt", async () => {
  const arms = Array.from({ length: 16 }, (_, index) => arm(`v${index}`, 7));
  const packages = await assignAll(channel(arms, "another"));
  for (const share of Object.values(sharesOf(packages))) expect(Math.abs(share - 1 / 16)).toBeLessThan(0.01);
});

test("where a weight grows nobody leaves that arm, and who moves moves to it", async () => {
  const before = await assignAll(channel([arm("a", 90, "stable"), arm("b", 5), arm("c", 5)]));
  for (const weight of [5.0001, 6, 20, 1000]) {
    const after = await assignAll(channel([arm("a", 90, "stable"), arm("b", weight), arm("c", 5)]));
    for (const [index, now] of after.entries()) if (now !== before[index]) expect(now).toBe("./b/");
  }
});

test("where a weight shrinks only seeds of that arm move, and no more than its share shrinks", async () => {
  const before = await assignAll(channel([arm("a", 50, "stable"), arm("b", 30), arm("c", 20)]));
  const after = await assignAll(channel([arm("a", 50, "stable"), arm("b", 10), arm("c", 20)]));
  const moved = before.filter((was, index) => was !== after[index]);
  expect(new Set(moved)).toEqual(new Set(["./b/"]));
  // From 30 of 100 to 10 of 80: 17.5 % must move.
  expect(Math.abs(moved.length / FEW.length - 0.175)).toBeLessThan(0.01);
});

test("an arm that goes leaves the others where they are; its seeds are spread over them", async () => {
  const before = await assignAll(channel([arm("a", 50, "stable"), arm("b", 30), arm("c", 20)]));
  const after = await assignAll(channel([arm("a", 50, "stable"), arm("b", 30), arm("c", 0)]));
  for (const [index, was] of before.entries()) if (was !== "./c/") expect(after[index]).toBe(was);
  expect(after).not.toContain("./c/");
});

test("neither the order of the arms, nor their roles, nor the release decides", async () => {
  const arms = [arm("a", 50, "stable"), arm("b", 30), arm("c", 20)];
  const before = await assignAll(channel(arms));
  const promoted = [arm("c", 20, "stable"), arm("b", 30), arm("a", 50)];
  expect(await assignAll({ ...channel(promoted), release: 99 })).toEqual(before);
});

test("another salt moves browsers, and another model is independent", async () => {
  const arms = [arm("a", 50, "stable"), arm("b", 50)];
  const before = await assignAll(channel(arms));
  for (const other of [channel(arms, "t"), { ...channel(arms), model: "n" }]) {
    const after = await assignAll(other);
    const same = after.filter((now, index) => now === before[index]).length / FEW.length;
    expect(Math.abs(same - 0.5)).toBeLessThan(0.02);
  }
});

test("a shadow is never assigned, not even with all the weight", async () => {
  const packages = await assignAll(channel([arm("a", 0.001, "stable"), arm("b", 1e6, "shadow")]));
  expect(new Set(packages)).toEqual(new Set(["./a/"]));
});

test("the ends of the hash are no special case", async () => {
  const arms = channel([arm("a", 1, "stable"), arm("b", 1)]);
  for (const digit of ["0", "f"])
    expect((await assignArm(arms, "x", async () => digit.repeat(64))).package).toBe("./a/");
});

test("the arm of a seed is pinned: a change here would move every browser", async () => {
  const arms = channel([arm("1.0.0", 95, "stable"), arm("1.1.0", 5)], "salt");
  const canaries = (await assignAll(arms, SEEDS.slice(0, 200))).flatMap((each, index) =>
    each === "./1.1.0/" ? [index] : [],
  );
  expect(canaries).toEqual([15, 23, 62, 63, 81, 96, 109, 158]);
});
