// The dashboard in a real Chromium: its figures are the report's, and it says what to do when there are none.
import { expect, test } from "vitest";
import { expectAccessible, useDashboard } from "./support/dashboard-browser.js";
import { expectPageShows, panel, rowsOf, textsOf, tile } from "./support/dashboard-page.js";
import { emptyReport, type Question, reportFor } from "./support/dashboard-report.js";

const the = useDashboard();
const { open } = the;
const shown = (part: "figures" | "empty" | "token") => the.page.locator(`#content[data-shows=${part}]`).waitFor();
const last = () => the.site.asked.at(-1) as Question;
const until = (check: () => unknown) => expect.poll(check, { timeout: 10_000 });

test("tiles and tables hold the report's figures, in words that people read", async () => {
  const { site, page } = the;
  await page.goto(site.url);
  await shown("figures");
  expect(page.url()).toBe(`${site.url}/dashboard/`);
  await expectPageShows(page, reportFor(last()));
  const tiles = await page.locator(".tile data").allTextContents();
  expect(tiles).toEqual(["14,182", "320 to 640 ms", "0.33 %", "96.7 %", "35", "136"]);
  expect(await page.locator(".tile .about").nth(3).textContent()).toBe("95.4–97.6 %, 1,000 labels\ndigits 1.2.0");
  const accuracy = ["digits", "1.2.0", "stable", "1,000", "967", "96.7 %", "95.4–97.6 %", "0.026", "96.3 %", "0.3 %"];
  expect((await textsOf(page, "Accuracy by version"))[0]).toEqual(accuracy);
  expect((await textsOf(page, "Memory"))[0]).toEqual(["wasm", "wasm", "", "92.0 MB", "100 to 200 MB", "161"]);
  expect(await page.locator("#hidden-cells").textContent()).toContain(
    "3 cells (model × version × arm × backend) are hidden",
  );
  expect(the.consoleErrors).toEqual([]);
});

test("each plot is a table as well, with the report's points, and the keyboard reads its steps", async () => {
  const { page } = the;
  await open();
  const latency = panel(page, "Latency over time");
  expect(await latency.locator(".plot").getAttribute("aria-label")).toMatch(
    /^Latency over time\. p50: .* ms, at last .* ms\./,
  );
  await latency.locator(".plot").focus();
  await page.keyboard.press("End");
  const points = reportFor(last()).latency[0]?.points ?? [];
  await until(() => latency.locator(".tip").isVisible()).toBe(true);
  const newest = points.at(-1);
  expect(await latency.locator(".spoken[aria-live]").textContent()).toContain(
    `p95 ${((newest?.p95 ?? 0) * 1000).toPrecision(3)} ms`,
  );
  await latency.getByRole("button", { name: "Show as table" }).click();
  expect(await latency.locator(".plot").isVisible()).toBe(false);
  const rows = await rowsOf(page, "Latency over time");
  expect(rows.map((row) => row.slice(1).map(Number))).toEqual(
    points.map(({ p50, p95, p99 }) => [p50, p95, p99]).reverse(),
  );

  const errors = panel(page, "Errors by type");
  await errors.getByRole("button", { name: "Show as table" }).click();
  const sums = (await rowsOf(page, "Errors by type")).map((row) => row.slice(1).map(Number));
  expect(sums.reduce((all, row) => all.map((sum, i) => sum + (row[i] ?? 0)), [0, 0, 0, 0])).toEqual([21, 12, 9, 5]);

  const judged = panel(page, "digits 1.2.0 · stable");
  await judged.getByRole("button", { name: "Show as table" }).click();
  const cells = await textsOf(page, "digits 1.2.0 · stable");
  const parts = cells.map((row) => /\((.*)–(.*) %\), (\d+) of (\d+)$/.exec(row[1] ?? ""));
  const total = (at: number) => parts.reduce((sum, part) => sum + Number(part?.[at]), 0);
  expect([total(3), total(4)]).toEqual([967, 1000]);
});

test("nothing sent yet: the page says how to send, with this collector's own address", async () => {
  const { site, page } = the;
  site.answer = emptyReport;
  await open();
  await shown("empty");
  expect(await page.getByRole("heading", { level: 2 }).first().textContent()).toBe("No data yet");
  expect(await page.locator("pre").textContent()).toContain(`endpoint: "${site.url}"`);
  site.answer = (question) => ({ ...emptyReport(question), hidden: 4 });
  await page.reload();
  await shown("empty");
  await page.getByText("--min-batches 1").waitFor();
  site.answer = (question) => reportFor(question);
  await page.reload();
  await shown("figures");
});

test("a collector with a read token: prompt, a wrong one, the right one, kept for the tab, forgotten on request", async () => {
  const { site, page } = the;
  site.token = "let-me-read";
  await open();
  await shown("token");
  const input = page.getByLabel("Read token");
  expect(await input.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  await input.fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The read token is missing or wrong.").waitFor();
  await input.fill("let-me-read");
  await page.keyboard.press("Enter");
  await shown("figures");
  expect(await tile(page, "predictions")).toBe(14_182);
  await page.reload();
  await shown("figures");
  expect(page.url()).not.toContain("let-me-read");
  await page.getByRole("button", { name: "Forget token" }).click();
  await shown("token");
  expect(await page.locator(".tiles").isVisible()).toBe(false);
});

test("an error is told with what to do, the last data stays, and the next answer clears it", async () => {
  const { site, page } = the;
  await open();
  site.failure = { status: 503, message: "The database does not respond." };
  const alert = page.getByRole("alert");
  await until(() => alert.textContent()).toMatch(
    /The collector responded with 503: The database does not respond\..*collector's log/,
  );
  expect(await alert.textContent()).toMatch(/What you see is of \d\d:\d\d:\d\d\./);
  expect(await tile(page, "predictions")).toBe(14_182);
  site.failure = null;
  site.answer = (question) => reportFor(question, 7);
  await until(() => tile(page, "predictions")).toBe(14_189);
  expect(await alert.isVisible()).toBe(false);
});

test("a collector that is gone is told as well", async () => {
  const { site, page } = the;
  await open();
  await site.close();
  await until(() => page.getByRole("alert").textContent()).toContain(
    `The collector at ${new URL(site.url).host} does not respond.`,
  );
});

test("figures follow by themselves, without moving the page; pause and a hidden tab ask nothing", async () => {
  const { site, page } = the;
  await open();
  await page.evaluate(`new PerformanceObserver((list) => {
    globalThis.shift = (globalThis.shift ?? 0) + list.getEntries().reduce((sum, { value }) => sum + value, 0);
  }).observe({ type: "layout-shift" })`);
  site.answer = (question) => reportFor(question, 1000);
  await until(() => tile(page, "predictions")).toBe(15_182);
  expect(await page.evaluate("globalThis.shift ?? 0")).toBe(0);

  // That the browser would have told.
  await page.evaluate('document.body.prepend(Object.assign(document.createElement("p"), { textContent: "x" }))');
  await until(() => page.evaluate("globalThis.shift ?? 0")).toBeGreaterThan(0);

  await page.getByRole("button", { name: "Pause" }).click();
  await until(() => page.locator("#status").textContent()).toMatch(/^Paused at/);
  let asked = site.asked.length;
  await page.waitForTimeout(6000);
  expect(site.asked.length).toBe(asked);
  await page.getByRole("button", { name: "Resume" }).click();
  await until(() => site.asked.length).toBe(asked + 1);

  const hide = (hidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
      document.dispatchEvent(new Event("visibilitychange"))`);
  await hide(true);
  asked = site.asked.length;
  await page.waitForTimeout(6000);
  expect(site.asked.length).toBe(asked);
  await hide(false);
  await until(() => site.asked.length).toBe(asked + 1);
});

test("filters and range live in the address, and narrow what is asked and shown", async () => {
  const { page } = the;
  await open();
  await page.locator("#model").selectOption("objects");
  await until(() => tile(page, "predictions")).toBe(1908);
  expect(new URL(page.url()).search).toBe("?model=objects");
  await page.locator("#backend").selectOption("wasm");
  await page.getByRole("radio", { name: "24 h" }).check();
  await until(() => `${last().model} ${last().backend} ${last().to - last().from}`).toBe("objects wasm 86400000");
  expect(new URL(page.url()).search).toBe("?range=24h&model=objects&backend=wasm");
  // Errors carry no model, so there is no rate over the predictions of one.
  expect(await tile(page, "errors")).toBeNull();
  await page.reload();
  await shown("figures");
  expect(await page.locator("#model").inputValue()).toBe("objects");
  expect(await tile(page, "predictions")).toBe(402);

  await open("?from=2026-03-01T10:00:00.000Z&to=2026-03-01T12:30:00.000Z");
  expect([last().from, last().to]).toEqual([Date.parse("2026-03-01T10:00Z"), Date.parse("2026-03-01T12:30Z")]);
  expect(await page.locator("#status").textContent()).toMatch(/^Fixed range/);
  await page.locator("#to").fill("2026-03-01T11:00");
  await page.locator("#from").fill("2026-03-01T09:00");
  const local = (text: string) => page.evaluate(`Date.parse("${text}")`);
  await until(() => [last().from, last().to]).toEqual([
    await local("2026-03-01T09:00"),
    await local("2026-03-01T11:00"),
  ]);
});

test("names from a report are text, never markup", async () => {
  const { site, page } = the;
  const evil = '<img src=x onerror="document.title=1">';
  site.answer = (question) =>
    JSON.parse(JSON.stringify(reportFor(question)).replaceAll('"digits"', JSON.stringify(evil)));
  await open();
  expect((await textsOf(page, "Accuracy by version"))[0]?.[0]).toBe(evil);
  expect(await page.locator("#content img").count()).toBe(0);
});

test.each(["light", "dark"] as const)(
  "axe finds nothing in %s: figures, tables, empty, token, failure",
  async (scheme) => {
    const { site, page } = the;
    await page.emulateMedia({ colorScheme: scheme });
    const judge = (what: string) => expectAccessible(page, scheme, what);
    await open();
    await judge("figures");
    const toggles = page.getByRole("button", { name: "Show as table" });
    while ((await toggles.count()) > 0) await toggles.first().click();
    await judge("tables");
    site.failure = { status: 500, message: "No." };
    await page.getByRole("alert").waitFor();
    await judge("failure");
    site.failure = null;
    site.answer = emptyReport;
    await open();
    await judge("empty");
    site.token = "x";
    await open();
    await judge("token");
  },
);

test("on a phone of 360 pixels the page never scrolls sideways", async () => {
  const { site, page } = the;
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = () => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  await open();
  expect(await overflow()).toBe(0);
  await page.getByRole("radio", { name: "Custom" }).check();
  expect(await overflow()).toBe(0);
  site.answer = emptyReport;
  await open();
  expect(await overflow()).toBe(0);
});
