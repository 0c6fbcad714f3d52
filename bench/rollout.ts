// Measures the cost of a channel: prediction time with guardrails and monitor and without, beside a shadow and without, and bundle size.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { inTime } from "./in-time.js";
import type * as Page from "./page/rollout.js";
import { PAGE, ROOT } from "./page-build.js";
import { interval, type Report } from "./report.js";
import { percentile, type Ratio, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    rolloutBench: typeof Page;
  }
}

/** Issue 14. */
const MAX_RATIO = 1.02;
const MAX_BYTES = 3_000;
/** dist/index.js before issue 14, brotli. */
const BYTES_BEFORE = 11_996;
// A round is the mean of several predictions, since one of 1 ms is within the clock's noise.
const ROUNDS = 81;
const PER_ROUND = 25;
const SINGLES = 200;
/** Longer than a prediction of the shadow. */
const EVERY_MS = 30;
const MAX_MINUTES = 5;

const arm = (version: string, role: string, weight = 0) => ({ package: `./${version}/`, role, weight, version });
const CHANNELS: Record<string, object> = {
  "plain.json": { arms: [arm("1.0.0", "stable", 1)], guardrails: { maxLatency: 10_000 } },
  "shadowed.json": { arms: [arm("1.0.0", "stable", 1), { ...arm("1.1.0", "shadow"), share: 1 }] },
};

/** Resolves to the browser's version. */
export async function benchRollout({ rounds = ROUNDS }: { rounds?: number }, report: Report): Promise<string> {
  const library = await openLibrary(
    {},
    {
      mounts: {
        "/bench/": PAGE,
        // The same package twice: what differs is only whether it is predicted twice.
        "/channel/1.0.0/": "models/digits/package",
        "/channel/1.1.0/": "models/digits/package",
      },
      routes: [
        ({ url = "" }, response) => {
          const channel = CHANNELS[url.replace("/channel/", "")];
          if (!channel) return false;
          response.writeHead(200, { "Content-Type": "application/json" });
          response.end(JSON.stringify({ model: "digits", release: 1, salt: "bench", ...channel }));
          return true;
        },
      ],
    },
  );
  const { version } = library.chromium;
  try {
    report.say("\nA channel, digits on wasm; milliseconds per prediction, medians");
    const row = { part: "rollout", model: "digits", backend: "wasm", browser: version };
    try {
      size(row, report);
      await cost(library, rounds, row, report);
      await beside(library, row, report);
    } catch (error) {
      report.error(row, error);
    }
    return version;
  } finally {
    await library.close();
  }
}

async function openPart(library: LibraryPage): Promise<void> {
  await library.visit();
  const content = 'import * as bench from "/bench/rollout.js"; window.rolloutBench = bench;';
  await library.page.addScriptTag({ type: "module", content });
  await library.page.waitForFunction(() => "rolloutBench" in window);
}

function tell(report: Report, row: object, what: string, sides: Sides, target?: number): void {
  const { on, off } = sides;
  const ratio: Ratio = ratioOfMedians(on, off);
  const [with_, without] = [on, off].map((times) => ({ p50: percentile(times, 0.5), p95: percentile(times, 0.95) }));
  const cells = [with_, without].map((side) => `${side?.p50.toFixed(3)} (p95 ${side?.p95.toFixed(3)})`).join(" / ");
  report.say(`  ${what.padEnd(32)}${cells}   ${interval(ratio)}   ${report.mark(target, ratio.value)}`);
  report.row({ ...row, what, n: on.length, on: with_, off: without, ratio, target });
}

interface Sides {
  on: number[];
  off: number[];
}

async function cost(library: LibraryPage, rounds: number, row: object, report: Report): Promise<void> {
  await openPart(library);
  const run = library.page.evaluate(
    ([times, each]) => window.rolloutBench.cost(window.insitu.createClient, "/channel/plain.json", times, each),
    [rounds, PER_ROUND] as const,
  );
  const sides = await inTime(run, MAX_MINUTES, "Predictions by a channel and by a package");
  tell(report, row, "channel and monitor / package", sides, MAX_RATIO);
}

async function beside(library: LibraryPage, row: object, report: Report): Promise<void> {
  await openPart(library);
  const run = library.page.evaluate(
    ([times, every]) => {
      const { createClient } = window.insitu;
      return window.rolloutBench.beside(createClient, "/channel/plain.json", "/channel/shadowed.json", times, every);
    },
    [SINGLES, EVERY_MS] as const,
  );
  const sides = await inTime(run, MAX_MINUTES, "Predictions beside a shadow");
  if (sides.compared === 0) throw new Error("The shadow predicted nothing: the row is not valid.");
  tell(
    report,
    { ...row, compared: sides.compared },
    `with a shadow (${sides.compared} of ${SINGLES}) / without`,
    sides,
  );
}

function size(row: object, report: Report): void {
  const bytes = brotliCompressSync(readFileSync(join(ROOT, "dist/index.js"))).length - BYTES_BEFORE;
  report.say(`  bytes added to index.js, brotli ${bytes}   ${report.mark(MAX_BYTES, bytes)}`);
  report.row({ ...row, what: "bytes added to index.js, brotli", bytes, target: MAX_BYTES });
}
