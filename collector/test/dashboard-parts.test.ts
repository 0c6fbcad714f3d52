// The dashboard's parts without a page: the palette, windows of time, and how its files are served.
import Fastify from "fastify";
import { expect, test } from "vitest";
import { DARK, LIGHT } from "../dashboard/colours.js";
import { percentileCell, percentileText } from "../dashboard/ranges.js";
import { isFew, samplesCell } from "../dashboard/samples.js";
import { readView, windowOf, writeView } from "../dashboard/view.js";
import { windowsOf } from "../dashboard/windows.js";
import { dashboard } from "../src/dashboard.js";
import type { Spread } from "../src/report-types.js";
import { apart, contrast } from "./support/colours.js";
import { reportFor, wilson } from "./support/dashboard-report.js";

// WCAG 1.4.11; and a distance that two thin lines need to be told apart, in OKLab times 100.
const CONTRAST = 3;
const DISTANCE = 10;

test.each([
  ["light", LIGHT],
  ["dark", DARK],
])("the %s palette stands out from the sheet, and apart for every kind of colour vision", (_name, palette) => {
  for (const colours of [palette.series, palette.ramp]) {
    for (const [index, colour] of colours.entries()) {
      expect(contrast(colour, palette.sheet), colour).toBeGreaterThanOrEqual(CONTRAST);
      for (const other of colours.slice(0, index))
        for (const [vision, distance] of Object.entries(apart(colour, other)))
          expect(distance, `${colour} ${other} ${vision}`).toBeGreaterThanOrEqual(DISTANCE);
    }
  }
});

test("the address keeps a view, and leaves out what is usual", () => {
  for (const search of ["", "?range=7d", "?range=15m&model=a%26b&version=1", "?backend=wasm"])
    expect(writeView(readView(search))).toBe(search);
  const custom = "?from=2026-03-01T10%3A00%3A00.000Z&to=2026-03-01T12%3A00%3A00.000Z";
  expect(writeView(readView(custom))).toBe(custom);
  expect(readView("?range=toString&from=2026-03-02&to=2026-03-01")).toMatchObject({ range: "1h", from: null });
});

test("a day that does not exist is no time: the usual range is shown", () => {
  for (const from of ["2026-02-31", "2026-02-30T10:00", "2026-04-31T00:00:00Z", "2026-13-01", "soon"])
    expect(readView(`?from=${from}&to=2026-05-01T00:00:00Z`).range).toBe("1h");
  const { range, from } = readView("?from=2028-02-29T00:00:00Z&to=2028-03-01T00:00:00Z");
  expect([range, from]).toEqual(["custom", Date.UTC(2028, 1, 29)]);
});

test("two refreshes within one step ask for the same window, of at most 60 whole steps", () => {
  for (const range of ["15m", "1h", "24h", "7d"] as const) {
    const view = readView(`?range=${range}`);
    const now = Date.parse("2026-03-01T10:00:01Z");
    const { from, to, step } = windowOf(view, now);
    expect(windowOf(view, now + 5000)).toEqual({ from, to, step });
    expect([from % step, to % step]).toEqual([0, 0]);
    expect((to - from) / step).toBeLessThanOrEqual(60);
    expect(to).toBeGreaterThanOrEqual(now);
  }
});

test("windows of labels lose none, and their interval is Wilson's", () => {
  const report = reportFor({ from: 0, to: 3_600_000, step: 60_000 });
  for (const { points, labelled, correct } of report.accuracy) {
    const windows = windowsOf(report, points);
    expect(windows.points.reduce((sum, point) => sum + point.labelled, 0)).toBe(labelled);
    expect(windows.points.reduce((sum, point) => sum + point.correct, 0)).toBe(correct);
    for (const point of windows.points) {
      expect(point.low).toBeCloseTo(wilson(point.correct, point.labelled).low, 12);
      expect(point.high).toBeCloseTo(wilson(point.correct, point.labelled).high, 12);
    }
  }
});

test("windows stay where they are while the range moves on", () => {
  const hour = { from: 0, to: 3_600_000, step: 60_000 };
  const report = reportFor(hour);
  const points = Array.from({ length: 60 }, (_, index) => ({
    time: index * hour.step,
    labelled: 20,
    correct: 20 - (index % 3),
    ...wilson(20 - (index % 3), 20),
  }));
  const before = windowsOf(report, points);
  const after = windowsOf({ ...report, from: 60_000, to: 3_660_000 }, points.slice(1));
  expect(after.step).toBe(before.step);
  expect(before.step).toBe(3 * hour.step);
  // The first lost a step; the others are the same.
  expect(after.points.slice(1)).toEqual(before.points.slice(1));
});

test("files are served packed, for good where their name has a hash, under a strict policy", async () => {
  const app = Fastify();
  app.register(dashboard);
  const page = await app.inject("/dashboard/");
  expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
  expect(page.headers["cache-control"]).toBe("no-cache");
  expect(page.body).not.toMatch(/<script>|style=|onload=/);
  const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(page.body)?.[1];
  const packed = await app.inject({ url: `/dashboard/${script}`, headers: { "accept-encoding": "gzip, br" } });
  expect(packed.headers).toMatchObject({ "content-encoding": "br", "content-type": "text/javascript; charset=utf-8" });
  expect(packed.headers["cache-control"]).toContain("immutable");
  expect((await app.inject("/dashboard/../src/main.ts")).statusCode).toBe(404);
  expect((await app.inject("/dashboard/%2e%2e/main.js")).statusCode).toBe(404);
  for (const url of ["/", "/dashboard"]) expect((await app.inject(url)).headers.location).toBe("dashboard/");
  await app.close();
});

test("a collector whose dashboard was not built says so and serves the rest", async () => {
  const app = Fastify();
  app.register(dashboard, { folder: "/nowhere" });
  const answer = await app.inject("/dashboard/");
  expect([answer.statusCode, answer.json().message]).toEqual([404, expect.stringContaining("build:collector")]);
  await app.close();
});

test("few values are shown as few: as many as leave more than 5 % chance that all are below the percentile", () => {
  expect(samplesCell(58)).toEqual({ text: "58, few", value: 58 });
  expect(samplesCell(59)).toEqual({ text: "59", value: 59 });
  expect(samplesCell(1_234)).toEqual({ text: "1,234", value: 1_234 });
  expect([isFew(298, 0.99), isFew(299, 0.99), isFew(4, 0.5), isFew(5, 0.5)]).toEqual([true, false, true, false]);
});

test("a percentile is as sharp as its bucket, and never sharper", () => {
  const spread = (low: number, high: number | null, count = 400): Spread => ({
    count,
    p50: 0.0123,
    p95: 0.0123,
    p99: 0.0123,
    ranges: { p50: [low, high], p95: [low, high], p99: [low, high] },
    max: [low, high],
  });
  const texts = [
    spread(0.0121, 0.0127),
    spread(0.005, 0.01),
    spread(0.0008, 0.0012),
    spread(0, 0.001),
    spread(10.24, null),
    spread(0.64, 1.28),
  ].map((one) => percentileText(one, "p95"));
  expect(texts).toEqual(["12.3 ms", "5 to 10 ms", "800 µs to 1.2 ms", "0 to 1 ms", "over 10.2 s", "640 ms to 1.28 s"]);
  expect(percentileCell(spread(0.005, 0.01, 100), "p99")).toEqual({ text: "5 to 10 ms, few", value: 0.0123 });
  expect(percentileCell(spread(0.005, 0.01, 100), "p95")).toEqual({ text: "5 to 10 ms", value: 0.0123 });
});
