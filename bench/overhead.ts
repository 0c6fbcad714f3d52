// Measures what a prediction of a digit costs beside its computing: from each kind of input, and where the time goes.
import { openLibrary } from "../test/support/page.js";
import { inTime } from "./in-time.js";
import { makeNetworks, NETWORKS, networkBase, networkMounts } from "./networks.js";
import type * as Page from "./page/overhead.js";
import type { InputName, Overhead, Sample } from "./page/overhead.js";
import { PAGE } from "./page-build.js";
import type { Report } from "./report.js";
import { intervalOfMedian, percentile } from "./statistics.js";

declare global {
  interface Window {
    overhead: typeof Page;
  }
}

const MODEL = "digits";
const ROUNDS = 41;
const MAX_MINUTES = 10;
/** Issue 15: milliseconds of a prediction from a canvas, less its computing. */
const MAX_OVERHEAD_MS = 1;
/** What the page draws digits on, or a picture that is its own size; the others are reported. */
const TARGETS: InputName[] = ["canvas", "canvas that is read often", "canvas, after a pause"];

/** Resolves to the browser's version. The page is not cross-origin isolated, as most are. */
export async function benchOverhead({ rounds = ROUNDS }: { rounds?: number }, report: Report): Promise<string> {
  await makeNetworks(NETWORKS.filter(({ name }) => name === MODEL), report.say); // biome-ignore format: one line
  const library = await openLibrary({}, { mounts: { ...networkMounts(), "/bench/": PAGE } });
  const row = { part: "overhead", model: MODEL, backend: "wasm", browser: library.chromium.version };
  try {
    const script = 'import * as overhead from "/bench/overhead.js"; window.overhead = overhead;';
    await library.page.addScriptTag({ type: "module", content: script });
    await library.page.waitForFunction(() => "overhead" in window);
    const work = library.page.evaluate(
      ([base, count]) => window.overhead.overhead(window.insitu.createClient, base, "wasm", count),
      [networkBase(MODEL), rounds] as const,
    );
    print(await inTime(work, MAX_MINUTES, "overhead"), row, report);
  } catch (error) {
    report.error(row, error);
  } finally {
    await library.close();
  }
  return library.chromium.version;
}

function print({ samples, echo, backends, digest }: Overhead, row: Record<string, unknown>, report: Report): void {
  if (backends.join() !== "wasm") throw new Error(`It ran on ${backends}: the row is not valid.`);
  const parts = Object.keys(Object.values(samples)[0]?.[0] ?? {}) as (keyof Sample)[];
  report.say(`\nA prediction by ${MODEL} on wasm, medians of ${echo.length} rounds, ms`);
  report.say(`  ${"".padEnd(26)}${parts.map((part) => part.padStart(12)).join("")}`);
  for (const [name, rounds] of Object.entries(samples)) {
    const medians = Object.fromEntries(parts.map((part) => [part, percentile(rounds.map((one) => one[part]), 0.5)])); // biome-ignore format: one line
    const beside = rounds.map(({ total, execute, readback }) => total - execute - readback);
    const { value, low, high } = intervalOfMedian(beside);
    const target = TARGETS.includes(name as InputName) ? MAX_OVERHEAD_MS : undefined;
    report.say(`  ${name.padEnd(26)}${parts.map((part) => medians[part]?.toFixed(3).padStart(12)).join("")}`);
    const words = `beside its computing ${value.toFixed(2)} ms (${low.toFixed(2)} to ${high.toFixed(2)})`;
    report.say(`  ${"".padEnd(26)}    ${words}   ${report.mark(target, value)}`);
    report.row({ ...row, digest, input: name, n: rounds.length, parts: medians, beside: { value, low, high }, target });
  }
  report.say(`  a message to a worker and back: ${percentile(echo, 0.5).toFixed(3)} ms`);
  report.row({ ...row, input: "none: a message and its answer", n: echo.length, p50: percentile(echo, 0.5) });
}
