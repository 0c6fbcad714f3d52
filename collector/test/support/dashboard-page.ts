// Reads what the dashboard shows and compares it with a report: for an invented one and for a real collector's alike.
import type { Locator, Page } from "playwright";
import { expect } from "vitest";
import type { Report } from "../../src/report-types.js";

/** The figure behind a tile's words; null where the tile has none. */
export async function tile(page: Page, name: string): Promise<number | null> {
  const value = await page.locator(`#tile-${name}`).getAttribute("value");
  return value === null || value === "" ? null : Number(value);
}

export function panel(page: Page, title: string): Locator {
  return page.locator("section.panel").filter({ has: page.getByRole("heading", { name: title, exact: true }) });
}

/** Each row's cells: the unrounded figure where there is one, else the words. */
export async function rowsOf(page: Page, title: string): Promise<string[][]> {
  const rows = panel(page, title).locator("tbody tr");
  return rows.evaluateAll((all) =>
    all.map((row) =>
      [...row.children].map((cell) => cell.querySelector("data")?.getAttribute("value") ?? cell.textContent ?? ""),
    ),
  );
}

/** The words as read. */
export async function textsOf(page: Page, title: string): Promise<string[][]> {
  const rows = panel(page, title).locator("tbody tr");
  return rows.evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));
}

const sumOf = (list: readonly { count: number }[]) => list.reduce((sum, { count }) => sum + count, 0);
const spaced = (name: string) => name.replaceAll("_", " ");
/** Order is the page's business. */
const asSet = (rows: unknown[][]) => rows.map((row) => row.map(String).join(" | ")).sort();

/** Every tile and every table that is shown holds exactly the report's figures. Without a filter. */
export async function expectPageShows(page: Page, report: Report): Promise<void> {
  const totals = report.latency.filter(({ stage }) => stage === "total");
  const errors = sumOf(report.errors);
  const tries = sumOf(totals) + errors;
  expect(await tile(page, "predictions")).toBe(sumOf(totals));
  expect(await tile(page, "p95")).toBe(totals.length > 0 ? Math.max(...totals.map(({ p95 }) => p95)) : null);
  expect(await tile(page, "errors")).toBe(tries > 0 ? errors / tries : null);
  expect(await tile(page, "fallbacks")).toBe(sumOf(report.fallbacks));
  expect(await tile(page, "dropped")).toBe(sumOf(report.telemetry.dropped));
  const judged = [...report.accuracy].sort((a, b) => b.labelled - a.labelled)[0];
  expect(await tile(page, "accuracy")).toBe(judged && judged.labelled > 0 ? judged.accuracy : null);
  await expectTables(page, report);
}

async function expectTables(page: Page, report: Report): Promise<void> {
  const expected: Record<string, unknown[][]> = {
    "Errors by stage": report.errors.map((one) => [spaced(one.type), spaced(one.stage), one.count]),
    Fallbacks: report.fallbacks.map((one) => [one.from, one.to, spaced(one.type), one.count]),
    "Worker restarts": report.restarts.map((one) => [spaced(one.reason), one.count]),
    Cache: report.cache.map((one) => [spaced(one.result), "", one.count / sumOf(report.cache), one.count]),
    "Model loads": report.loads.map((one) => [
      one.model,
      one.version,
      spaced(one.source),
      "",
      one.p50,
      one.p95,
      one.max[1] ?? one.max[0],
      one.count,
    ]),
    Memory: report.memory.map((one) => [one.backend, one.kind, "", one.mean, one.max[1] ?? one.max[0], one.count]),
    "Dropped by pages": report.telemetry.dropped.map((one) => [spaced(one.signal), spaced(one.reason), one.count]),
    Batches: [
      ["counted", report.telemetry.batches],
      ["duplicates, ignored", report.telemetry.duplicates],
    ],
    "Accuracy by version": report.accuracy.map((one) => [
      ...[one.model, one.version, one.arm, one.labelled, one.correct],
      ...(one.labelled > 0 ? [one.accuracy, one.low] : ["–", "–"]),
      ...[one.brier ?? "–", one.estimate?.accuracy ?? "–", one.estimate?.standardError ?? "–"],
    ]),
  };
  for (const [title, rows] of Object.entries(expected))
    expect(asSet(await rowsOf(page, title)), title).toEqual(asSet(rows));
  const chooser = panel(page, "Latency by stage").getByRole("combobox");
  const models = new Set(report.latency.map(({ model }) => model));
  for (const model of models) {
    await chooser.selectOption({ label: model });
    const rows = report.latency
      .filter((one) => one.model === model)
      .map((one) => {
        const stage = one.stage === "total" && one.version ? `total, ${one.version}` : spaced(one.stage);
        return [stage, one.backend, "", one.p50, one.p95, one.p99, one.max[1] ?? one.max[0], one.count];
      });
    expect(asSet(await rowsOf(page, "Latency by stage")), model).toEqual(asSet(rows));
  }
}
