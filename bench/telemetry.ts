// Measures the cost of telemetry and monitoring: prediction time with and without them, bytes sent, and bundle size.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { type Receiver, startReceiver } from "../test/support/receiver.js";
import { inTime } from "./in-time.js";
import type * as Page from "./page/telemetry.js";
import { PAGE, ROOT } from "./page-build.js";
import { interval, type Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    telemetryBench: typeof Page;
  }
}

/** Issue 5. */
const MAX_RATIO = 1.02;
const MAX_BYTES = 20_000;
// A round is the mean of several predictions, since one of 1 ms is within the clock's noise.
const ROUNDS = 41;
const PER_ROUND = 25;
const PREDICTIONS = 1_000;
const MAX_MINUTES = 5;

/** Resolves to the browser's version. */
export async function benchTelemetry({ rounds = ROUNDS }: { rounds?: number }, report: Report): Promise<string> {
  const receiver = await startReceiver();
  const library = await openLibrary({}, { mounts: { "/bench/": PAGE } });
  const { version } = library.chromium;
  try {
    report.say("\nTelemetry and the monitor, digits on wasm; milliseconds per prediction, medians of rounds");
    const row = { part: "telemetry", model: "digits", backend: "wasm", browser: version };
    try {
      await cost(library, receiver, rounds, row, report);
      await bytes(library, receiver, row, report);
      sizes(row, report);
    } catch (error) {
      report.error(row, error);
    }
    return version;
  } finally {
    await library.close();
    await receiver.stop();
  }
}

async function openPart(library: LibraryPage): Promise<void> {
  await library.visit();
  const content = 'import * as bench from "/bench/telemetry.js"; window.telemetryBench = bench;';
  await library.page.addScriptTag({ type: "module", content });
  await library.page.waitForFunction(() => "telemetryBench" in window);
}

async function cost(
  library: LibraryPage,
  { url }: Receiver,
  rounds: number,
  row: object,
  report: Report,
): Promise<void> {
  await openPart(library);
  const run = library.page.evaluate(
    ([endpoint, times, each]) => window.telemetryBench.cost(window.insitu.createClient, endpoint, times, each),
    [url, rounds, PER_ROUND] as const,
  );
  const { on, off } = await inTime(run, MAX_MINUTES, "Predictions with and without telemetry");
  const ratio = ratioOfMedians(on, off);
  const [with_, without] = [on, off].map((times) => ({ p50: percentile(times, 0.5), p95: percentile(times, 0.95) }));
  const cells = `${with_?.p50.toFixed(3)} / ${without?.p50.toFixed(3)}`;
  report.say(`  on / off            ${cells}   ${interval(ratio)}   ${report.mark(MAX_RATIO, ratio.value)}`);
  report.row({ ...row, what: "on / off", n: on.length, on: with_, off: without, ratio, target: MAX_RATIO });
}

/** Bytes of the request bodies as sent, after compression. */
async function bytes(library: LibraryPage, receiver: Receiver, row: object, report: Report): Promise<void> {
  await openPart(library);
  const before = receiver.received.length;
  const run = library.page.evaluate(
    ([endpoint, times]) => window.telemetryBench.thousand(window.insitu.createClient, endpoint, times),
    [receiver.url, PREDICTIONS] as const,
  );
  const { pending } = await inTime(run, MAX_MINUTES, "A thousand predictions");
  if (pending > 2) throw new Error(`${pending} records were not sent: the row is not valid.`);
  const sent = receiver.received.slice(before);
  const sum = sent.reduce((all, { headers }) => all + Number(headers["content-length"]), 0);
  report.say(
    `  ${PREDICTIONS} predictions    ${sum} bytes in ${sent.length} requests   ${report.mark(MAX_BYTES, sum)}`,
  );
  report.row({
    ...row,
    what: `bytes of ${PREDICTIONS} predictions`,
    bytes: sum,
    requests: sent.length,
    target: MAX_BYTES,
  });
}

/** Minified and gzipped kilobytes of other libraries, measured with esbuild. */
const OTHERS = {
  "OpenTelemetry's metrics SDK and exporter": 22.0,
  "@sentry/browser, core": 33.2,
  "Grafana Faro": 42.0,
};

function sizes(row: object, report: Report): void {
  // The chunks that telemetry adds to the main bundle.
  const parts = ["telemetry", "idb-table"].map(
    (part) => gzipSync(readFileSync(join(ROOT, `dist/${part}.js`)), { level: 9 }).length,
  );
  const ours = parts.reduce((sum, size) => sum + size, 0) / 1000;
  const others = Object.entries(OTHERS).map(([name, size]) => `${name} ${size.toFixed(1)}`);
  report.say(`  gzipped, kB         ours ${ours.toFixed(1)}; ${others.join("; ")}   (reported)`);
  report.row({ ...row, what: "gzipped, kB", ours, others: OTHERS });
}
