// The dashboard's sections of rollouts, drift and retraining in a real Chromium: their figures, their words when there is nothing, the lines of changes.
import { expect, test } from "vitest";
import type { Decision, Evidence } from "../src/rollout/decision-types.js";
import { useDashboard } from "./support/dashboard-browser.js";
import { panel, rowsOf, textsOf } from "./support/dashboard-page.js";
import { reportFor } from "./support/dashboard-report.js";
import { noRollouts } from "./support/dashboard-rollouts.js";
import type { Site } from "./support/dashboard-site.js";

const the = useDashboard();
const { open } = the;

test("versions and arms stand beside each other, with intervals", async () => {
  const { page } = the;
  await open();
  expect(await textsOf(page, "Versions and arms")).toEqual([
    ["1.2.0", "stable", "", "92.4 %", "11,381", "1,000"],
    ["1.3.0", "canary", "", "7.6 %", "940", "212"],
  ]);
  const rows = await textsOf(page, "Side by side");
  expect(rows.map(([measure, version]) => `${measure}: ${version}`)).toEqual(
    ["Accuracy", "Errors", "Latency p50", "Latency p95"].flatMap((measure) => [
      `${measure}: 1.2.0 · stable`,
      `${measure}: 1.3.0 · canary`,
    ]),
  );
  expect(rows[0]?.slice(2)).toEqual(["96.7 % (95.4–97.6 %)", "", "1,000"]);
  expect(rows[2]?.[2]).toBe("0.41 % (0.31–0.55 %)");
  expect(rows[4]?.slice(2)).toEqual(["2 to 5 ms", "", "11,334"]);
  await page.getByLabel("Model of the rollout").selectOption("objects");
  expect(await panel(page, "Decision").textContent()).toContain("Because the channel has no candidate.");
  // 64 labels are too few to conclude from.
  expect((await textsOf(page, "Side by side"))[0]?.slice(2)).toEqual(["79.7 % (68.3–87.7 %)", "", "64, few"]);
});

test("the decision, its evidence now and over time, and what was decided before", async () => {
  const { page } = the;
  await open();
  const decision = panel(page, "Decision");
  expect(await decision.locator("strong").textContent()).toBe("Promote");
  expect(await decision.textContent()).toContain("Because the candidate is not worse.");
  expect(await decision.textContent()).toContain("Control 1.2.0 · stable with 11,381 predictions");
  const evidence = await textsOf(page, "Evidence");
  expect(evidence.map(([metric, source, verdict]) => `${metric}, ${source}: ${verdict}`)).toEqual([
    "Accuracy, trusted: unknown",
    "Errors, pages: equivalent",
    "Latency, median, pages: better",
    "Agreement of the shadow, pages: worse",
  ]);
  expect(evidence[0]?.slice(3)).toEqual([
    "96.7 % (95.4–97.6 %)",
    "98.6 % (95.9–99.5 %)",
    "+1.9 points",
    "−2.4 points to +6.2 points",
    "0.41",
    "0.0250",
  ]);
  expect(evidence[2]?.[5]).toBe("−41.0 %");
  expect(evidence[3]?.[7]).toBe("< 0.0001");
  expect((await textsOf(page, "Decisions so far")).map((row) => row.slice(1, 3))).toEqual([
    ["Promote", "not worse"],
    ["Hold", "untrusted"],
    ["Hold", "not enough"],
  ]);
  const over = panel(page, "Evidence over time");
  await over.locator(".plot").focus();
  await page.keyboard.press("End");
  expect(await over.locator(".spoken[aria-live]").textContent()).toMatch(
    /Accuracy, trusted.* \+1\.9 points \(.*\), .*: Promote/,
  );
  await over.getByRole("combobox").selectOption({ label: "Latency, median, pages" });
  await over.getByRole("button", { name: "Show as table" }).click();
  expect(await rowsOf(page, "Evidence over time")).toHaveLength(14);
});

test("what a decision lacks, and bounds that are not known yet", async () => {
  const { page, site } = the;
  const digits = site.rollouts.decisions.digits as Decision;
  const [accuracy, errors, latency] = digits.evidence as [Evidence, Evidence, Evidence];
  const missing = [
    "Accuracy, pages: candidate has 42 of 50 values.",
    "Accuracy, pages: candidate has 6 of 10 senders.",
  ];
  site.rollouts.decisions.digits = {
    ...digits,
    action: "hold",
    reason: "not_enough",
    missing,
    evidence: [
      { ...accuracy, low: -1, high: 1 },
      { ...errors, low: -1, high: 0.01 },
      { ...latency, low: -1, high: 1e6 },
      { ...latency, low: 0.1, high: 1e6 },
    ],
  };
  await open();
  expect(await panel(page, "Decision").locator("li").allTextContents()).toEqual(missing);
  expect((await textsOf(page, "Evidence")).map((row) => row[6])).toEqual([
    "not known yet",
    "below +1.00 points",
    "not known yet",
    "over +10.0 %",
  ]);
  // What decides is chosen first, whatever came first.
  expect(await page.getByLabel("Measure").locator("option").first().textContent()).toBe("Accuracy, trusted");
});

test("shadow, rollbacks by reason, and the channel's changes with who made them and why", async () => {
  const { page } = the;
  await open();
  expect(await textsOf(page, "Shadow")).toEqual([
    ["1.4.0-rc.1", "97.7 % (96.5–98.4 %)", "940", "3", "0.014", "0.64 to 1.28 ×", "1.28 to 2.56 ×"],
  ]);
  expect(await textsOf(page, "Rolled back by pages")).toEqual([
    ["latency", "1.3.0", "canary", "5"],
    ["crashes", "1.3.0", "canary", "1"],
  ]);
  expect(await panel(page, "Rolled back by pages").locator(".note").textContent()).toContain("61 assigned, 44 swapped");
  const [newest, older] = await textsOf(page, "Channel");
  expect(newest?.slice(1)).toEqual([
    "9",
    "1.2.0 stable 90 %, 1.3.0 canary 10 %, 1.4.0-rc.1 shadow",
    "ci@example.org",
    "The guardrails were quiet for a day, so one in ten browsers gets it",
  ]);
  expect(older?.slice(3)).toEqual(["ci@example.org", "–"]);
});

test("every plot over time has a line for each change of its model's channel, also for the keyboard and in its table", async () => {
  const { site, page } = the;
  // A fixed range, so that a reload shows the same steps.
  const to = Math.ceil(Date.now() / 60_000) * 60_000;
  const search = `?from=${new Date(to - 3_600_000).toISOString()}&to=${new Date(to).toISOString()}`;
  await open(search);
  for (const title of [
    "Latency over time",
    "p95 by version and backend",
    "Throughput",
    "Errors by type",
    "Traffic by arm",
    "digits 1.2.0 · stable",
  ])
    expect(await panel(page, title).locator(".legend").textContent(), title).toContain("channel changed");
  expect(await panel(page, "Both distributions").locator(".legend").textContent()).not.toContain("channel changed");
  // The objects' channel did not change.
  expect(await panel(page, "objects 2.0.1 · stable").locator(".legend").textContent()).not.toContain("channel changed");

  const latency = panel(page, "Latency over time");
  await latency.locator(".plot").focus();
  const spoken = async () => (await latency.locator(".spoken[aria-live]").textContent()) ?? "";
  const heard = [];
  await page.keyboard.press("Home");
  for (let i = 0; i < 60; i += 1) {
    heard.push(await spoken());
    await page.keyboard.press("ArrowRight");
  }
  const told = heard.filter((text) => text.includes("digits, release 9: 1.2.0 stable 90 %"));
  expect(told).toHaveLength(1);
  await latency.getByRole("button", { name: "Show as table" }).click();
  const rows = (await textsOf(page, "Latency over time")).filter(([step]) => step?.includes("release 9"));
  expect(rows).toHaveLength(1);
  // The line is drawn: without it the same column of pixels is another.
  await latency.getByRole("button", { name: "Show as plot" }).click();
  const drawn = async () => (await latency.locator("canvas").screenshot()).toString("base64");
  const withLine = await drawn();
  site.rollouts = { ...site.rollouts, changes: {} };
  await open(search);
  expect(await drawn()).not.toBe(withLine);
});

test("drift by feature with both distributions, and what pages detected", async () => {
  const { page } = the;
  await open();
  const rows = await textsOf(page, "Drift by feature");
  expect(rows.map(([target]) => target)).toEqual([
    "image.brightness",
    "image.contrast",
    "confidence",
    "image.brightness.missing",
    "classes",
  ]);
  expect(rows[0]?.[1]).toMatch(/^drift since about /);
  expect(rows[0]?.slice(3)).toEqual([
    "0.312",
    "0.100",
    "0.200",
    "< 0.0001",
    "< 0.0001",
    "8,214",
    "digits 1.2.0 · stable",
  ]);
  expect(rows[1]?.[1]).toBe("as the reference");
  const both = panel(page, "Both distributions");
  await both.locator(".plot").focus();
  await page.keyboard.press("Home");
  expect(await both.locator(".spoken[aria-live]").textContent()).toBe(
    "0 to 5 %: reference 5.0 %, current, 8,214 values 9.5 %",
  );
  await both.getByRole("button", { name: "Show as table" }).click();
  expect(await rowsOf(page, "Both distributions")).toHaveLength(20);
  await both.getByRole("combobox").selectOption({ label: "image.brightness.missing · digits 1.2.0 · stable" });
  expect(await textsOf(page, "Both distributions")).toEqual([
    ["present", "99.0 %", "98.5 %"],
    ["missing", "1.0 %", "1.5 %"],
  ]);
  expect(await textsOf(page, "Detected in pages")).toEqual([
    ["page hinkley", "confidence", "14", "digits 1.2.0", "stable"],
    ["ddm", "error", "3", "digits 1.2.0", "stable"],
  ]);
});

test("triggers and the log of retraining", async () => {
  const { page } = the;
  await open();
  const triggers = await textsOf(page, "Triggers");
  expect(triggers.map((row) => row.slice(2, 4).join(": "))).toEqual([
    expect.stringMatching(/^accuracy: watching, cool-down until /),
    expect.stringMatching(/^drift: met, held back: cool-down until /),
    "labels: met, held back: it has not recovered since it fired",
  ]);
  expect((await textsOf(page, "Retraining log")).map((row) => row.slice(1))).toEqual([
    ["digits", "1.2.0", "drift", "running", "–", "epoch 3 of 10", "2"],
    ["digits", "1.1.0", "age", "done", "1.2.0", "–", "1"],
  ]);
});

test("a section without data says so, and how to get it", async () => {
  const { site, page } = the;
  site.rollouts = noRollouts();
  const bare = (question: Parameters<Site["answer"]>[0]) => ({
    ...reportFor(question),
    arms: [],
    decisions: [],
    shadows: [],
    detections: [],
  });
  site.answer = bare;
  await open();
  const nothing = async (title: string) => panel(page, title).locator(".nothing").textContent();
  for (const [title, words] of [
    ["Versions and arms", "No prediction of this model was reported"],
    ["Evidence", "publish a channel (insitu channel)"],
    ["Shadow", "the role shadow"],
    ["Rolled back by pages", "No page left a version by itself"],
    ["Channel", "PUT /v1/channels/MODEL"],
    ["Drift by feature", "10 senders"],
    ["Drift by feature", "insitu reference"],
    ["Detected in pages", "No page detected drift"],
    ["Triggers", "--retrain retrain.json"],
    ["Retraining log", "--retrain retrain.json"],
  ] as const)
    expect(await nothing(title), title).toContain(words);
  expect(await panel(page, "Decision").textContent()).toContain("Nothing is decided");
});

test("nothing moves when the figures follow", async () => {
  const { site, page } = the;
  await open();
  await page.evaluate(`new PerformanceObserver((list) => {
    globalThis.shift = (globalThis.shift ?? 0) + list.getEntries().reduce((sum, { value }) => sum + value, 0);
  }).observe({ type: "layout-shift" })`);
  await page.getByRole("heading", { name: "Rollout", exact: true }).scrollIntoViewIfNeeded();
  site.answer = (question) => reportFor(question, 1000);
  await expect.poll(() => page.locator("#tile-predictions").getAttribute("value"), { timeout: 10_000 }).toBe("15182");
  expect(await page.evaluate("globalThis.shift ?? 0")).toBe(0);
});

test("at 360 pixels the page never scrolls sideways, as plots and as tables", async () => {
  const { page } = the;
  await page.setViewportSize({ width: 360, height: 740 });
  await open();
  const overflow = () => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  expect(await overflow()).toBe(0);
  const toggles = page.getByRole("button", { name: "Show as table" });
  while ((await toggles.count()) > 0) await toggles.first().click();
  expect(await overflow()).toBe(0);
});
