// Compares two workers with one in `predictAll`, and concurrent calls with serial ones.
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { inTime } from "./in-time.js";
import { makeNetworks, NETWORKS, type NetworkName, networkBase, networkMounts } from "./networks.js";
import type * as Page from "./page/throughput.js";
import type { Throughput } from "./page/throughput.js";
import { PAGE } from "./page-build.js";
import { interval, type Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    throughput: typeof Page;
  }
}

const PHOTOS = ["astronaut", "chelsea", "coffee", "rocket"].map((name) => `/photos/${name}.jpg`);

/** Issue 4: two workers on two cores, and 64 calls that share batches. */
const MIN_POOL_GAIN = 1.7;
const MIN_CONCURRENT_GAIN = 3;
const CONCURRENT_CALLS = 64;
// A case takes one or two minutes.
const MAX_MINUTES = 10;

/** Enough images for one or two seconds on one worker. */
const POOL_CASES: { model: NetworkName; images: number; rounds: number }[] = [
  { model: "handlandmark-full", images: 32, rounds: 11 },
  { model: "objects", images: 16, rounds: 11 },
];
const CONCURRENT = { model: "digits", kinds: ["pictures", "numbers"], rounds: 21 } as const;

/** Resolves to the browser's version. The page is not cross-origin isolated: each worker has one thread, so more cores only help a pool. */
export async function benchThroughput(
  { only, rounds }: { only?: string; rounds?: number },
  report: Report,
): Promise<string> {
  const pooled = POOL_CASES.filter(({ model }) => !only || only === model);
  const concurrent = !only || only === CONCURRENT.model ? CONCURRENT.kinds : [];
  const names: string[] = [...pooled.map(({ model }) => model), CONCURRENT.model];
  await makeNetworks(NETWORKS.filter(({ name }) => names.includes(name)), report.say); // biome-ignore format: one line
  const library = await openLibrary({}, { mounts: { ...networkMounts(), "/bench/": PAGE } });
  try {
    report.say("\nMany predictions on wasm, one thread a worker; milliseconds for all of them, medians");
    for (const { model, images, rounds: usual } of pooled) {
      const what = `predictAll of ${images} photos by ${model}: pool 1 / pool 2`;
      const run = () =>
        library.page.evaluate(
          ([base, photos, count, times]) =>
            window.throughput.pools(window.insitu.createClient, base, photos, count, "wasm", times),
          [networkBase(model), PHOTOS, images, rounds ?? usual] as const,
        );
      await measure(library, { part: "throughput", model, what }, MIN_POOL_GAIN, run, report);
    }
    for (const kind of concurrent) {
      const what = `${CONCURRENT_CALLS} calls of digits on ${kind}: serial / concurrent`;
      const run = () =>
        library.page.evaluate(
          ([base, inputs, count, times]) =>
            window.throughput.concurrent(window.insitu.createClient, base, inputs, count, "wasm", times),
          [networkBase(CONCURRENT.model), kind, CONCURRENT_CALLS, rounds ?? CONCURRENT.rounds] as const,
        );
      await measure(library, { part: "throughput", model: CONCURRENT.model, what }, MIN_CONCURRENT_GAIN, run, report);
    }
    return library.chromium.version;
  } finally {
    await library.close();
  }
}

async function measure(
  library: LibraryPage,
  about: { part: string; model: string; what: string },
  atLeast: number,
  run: () => Promise<Throughput>,
  report: Report,
): Promise<void> {
  const row = { ...about, backend: "wasm", browser: library.chromium.version };
  report.say(about.what);
  try {
    await library.visit();
    const script = 'import * as throughput from "/bench/throughput.js"; window.throughput = throughput;';
    await library.page.addScriptTag({ type: "module", content: script });
    await library.page.waitForFunction(() => "throughput" in window);
    const { fast, slow, backends, digest, isolated } = await inTime(run(), MAX_MINUTES, about.what);
    if (backends.join() !== "wasm" || isolated)
      throw new Error(`It ran on ${backends}, isolated ${isolated}: the row is not valid.`);
    const ratio = ratioOfMedians(slow, fast);
    const figures = [slow, fast].map((times) => ({ p50: percentile(times, 0.5), p95: percentile(times, 0.95) }));
    const cells = figures.map(({ p50 }) => p50.toFixed(0).padStart(7)).join(" /");
    report.say(`  ${cells}   ${interval(ratio)} times the throughput   ${report.mark({ atLeast }, ratio.value)}`);
    report.row({ ...row, digest, n: fast.length, slow: figures[0], fast: figures[1], ratio, target: { atLeast } });
  } catch (error) {
    report.error(row, error);
  }
}
