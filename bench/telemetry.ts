// What watching costs: predictions with telemetry and monitoring against none, and the bytes that a thousand of them send.
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
    watched: typeof Page;
  }
}

/** Issue 5. */
const AT_MOST = 1.02;
const BYTES_AT_MOST = 20_000;
// A round is the mean of so many predictions: one of 1 ms is within the clock's noise.
const ROUNDS = 41;
const A_ROUND = 25;
const PREDICTIONS = 1_000;
const MOST_MINUTES = 5;

/** Answers the browser's version. */
export async function benchTelemetry({ rounds = ROUNDS }: { rounds?: number }, report: Report): Promise<string> {
  const receiver = await startReceiver();
  const library = await openLibrary({}, { mounts: { "/bench/": PAGE } });
  const { version } = library.chromium;
  try {
    report.say("\nTelemetry and the monitor, digits on wasm; milliseconds a prediction, medians of rounds");
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
  const content = 'import * as watched from "/bench/telemetry.js"; window.watched = watched;';
  await library.page.addScriptTag({ type: "module", content });
  await library.page.waitForFunction(() => "watched" in window);
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
    ([endpoint, times, each]) => window.watched.cost(window.insitu.createClient, endpoint, times, each),
    [url, rounds, A_ROUND] as const,
  );
  const { on, off } = await inTime(run, MOST_MINUTES, "Predictions with and without telemetry");
  const ratio = ratioOfMedians(on, off);
  const [with_, without] = [on, off].map((times) => ({ p50: percentile(times, 0.5), p95: percentile(times, 0.95) }));
  const cells = `${with_?.p50.toFixed(3)} / ${without?.p50.toFixed(3)}`;
  report.say(`  on / off            ${cells}   ${interval(ratio)}   ${report.mark(AT_MOST, ratio.value)}`);
  report.row({ ...row, what: "on / off", n: on.length, on: with_, off: without, ratio, target: AT_MOST });
}

/** Bodies as they crossed the wire, compressed where they were. */
async function bytes(library: LibraryPage, receiver: Receiver, row: object, report: Report): Promise<void> {
  await openPart(library);
  const before = receiver.received.length;
  const run = library.page.evaluate(
    ([endpoint, times]) => window.watched.thousand(window.insitu.createClient, endpoint, times),
    [receiver.url, PREDICTIONS] as const,
  );
  const { pending } = await inTime(run, MOST_MINUTES, "A thousand predictions");
  if (pending > 2) throw new Error(`${pending} records were not sent: the row is worthless.`);
  const sent = receiver.received.slice(before);
  const sum = sent.reduce((all, { headers }) => all + Number(headers["content-length"]), 0);
  report.say(
    `  ${PREDICTIONS} predictions    ${sum} bytes in ${sent.length} requests   ${report.mark(BYTES_AT_MOST, sum)}`,
  );
  report.row({
    ...row,
    what: `bytes of ${PREDICTIONS} predictions`,
    bytes: sum,
    requests: sent.length,
    target: BYTES_AT_MOST,
  });
}

/** Minified and gzipped kilobytes of what others put into a page, as measured before our first line (esbuild). */
const OTHERS = {
  "OpenTelemetry's metrics SDK and exporter": 22.0,
  "@sentry/browser, core": 33.2,
  "Grafana Faro": 42.0,
};

function sizes(row: object, report: Report): void {
  // What telemetry fetches beside the main bundle, in which it has a handle of some hundred bytes.
  const parts = ["telemetry", "table"].map(
    (part) => gzipSync(readFileSync(join(ROOT, `dist/${part}.js`)), { level: 9 }).length,
  );
  const ours = parts.reduce((sum, size) => sum + size, 0) / 1000;
  const others = Object.entries(OTHERS).map(([name, size]) => `${name} ${size.toFixed(1)}`);
  report.say(`  gzipped, kB         ours ${ours.toFixed(1)}; ${others.join("; ")}   (reported)`);
  report.row({ ...row, what: "gzipped, kB", ours, others: OTHERS });
}
