// The scheduler of `npm test`: what runs at the same time, what waits for what, and what is printed.
import { expect, test } from "vitest";
import type { Check, Count } from "../../../scripts/checks/run.js";
import { runChecks, tableOf } from "../../../scripts/checks/schedule.js";

/** Checks that write down when they start and end; each takes `ms`. */
function recorder() {
  const log: string[] = [];
  const check = (name: string, more: Partial<Check> = {}, count: Count = { passed: 1, failed: 0 }, ms = 10): Check => ({
    name,
    about: `about ${name}`,
    run: async (print) => {
      log.push(`+${name}`);
      await new Promise((resolve) => setTimeout(resolve, ms));
      print(`output of ${name}\n`);
      log.push(`-${name}`);
      return count;
    },
    ...more,
  });
  return { log, check };
}

/** The largest number of checks that ran at the same time. */
function peak(log: string[]): number {
  let running = 0;
  return Math.max(...log.map((entry) => (running += entry.startsWith("+") ? 1 : -1)));
}

test("at most as many checks as jobs run at the same time, in the order of the list", async () => {
  const { log, check } = recorder();
  const results = await runChecks(
    ["a", "b", "c", "d", "e"].map((name) => check(name)),
    2,
    () => undefined,
  );
  expect(log.filter((entry) => entry.startsWith("+"))).toEqual(["+a", "+b", "+c", "+d", "+e"]);
  expect(peak(log)).toBe(2);
  expect(results).toHaveLength(5);
});

test("a check starts after those it needs, also when they failed, and needs that are not in the list are ignored", async () => {
  const { log, check } = recorder();
  const failing = check("build", {}, { passed: 0, failed: 1 }, 30);
  await runChecks([failing, check("types", { needs: ["build", "models"] }), check("lint")], 2, () => undefined);
  expect(log).toEqual(["+build", "+lint", "-lint", "-build", "+types", "-types"]);
});

test("of the checks that use a browser one runs at a time, and others beside it", async () => {
  const { log, check } = recorder();
  const checks = [check("a", { usesBrowser: true }, undefined, 30), check("b", { usesBrowser: true }), check("c")];
  await runChecks(checks, 2, () => undefined);
  expect(log).toEqual(["+a", "+c", "-c", "-a", "+b", "-b"]);
});

test("nothing runs beside a check that must be alone", async () => {
  const { log, check } = recorder();
  const list = [check("a"), check("load", { alone: true }), check("b"), check("c")];
  await runChecks(list, 2, () => undefined);
  const at = log.indexOf("+load");
  expect(log[at + 1]).toBe("-load");
  expect(log.slice(0, at).filter((entry) => entry.startsWith("+")).length).toBe(
    log.slice(0, at).filter((entry) => entry.startsWith("-")).length,
  );
});

test("checks that need each other are an error, not an endless wait", async () => {
  const { check } = recorder();
  const list = [check("a", { needs: ["b"] }), check("b", { needs: ["a"] })];
  await expect(runChecks(list, 2, () => undefined)).rejects.toThrow("a,b");
});

test("output of checks that run side by side is not mixed, and an exception counts as one failure", async () => {
  const { check } = recorder();
  const broken: Check = { name: "x", about: "throws", run: () => Promise.reject(new Error("It broke.")) };
  let text = "";
  const results = await runChecks([check("a", {}, undefined, 30), check("b"), broken], 3, (part) => {
    text += part;
  });
  expect(text).toContain("=== a: about a\noutput of a\n--- a: 1 passed, 0 failed");
  expect(text).toContain("=== x: throws\nIt broke.\n--- x: 0 passed, 1 failed");
  expect(results.find(({ name }) => name === "x")).toMatchObject({ passed: 0, failed: 1 });
});

test("the table lists the slowest check first", () => {
  const rows = tableOf([
    { name: "fast", passed: 1, failed: 0, seconds: 1.25 },
    { name: "slow", passed: 20, failed: 3, seconds: 100 },
  ]).split("\n");
  expect(rows.map((row) => row.split(/ +/))).toEqual([
    ["part", "passed", "failed", "seconds"],
    ["slow", "20", "3", "100.0"],
    ["fast", "1", "0", "1.3"],
  ]);
});
