// A prediction by insitu against the same by plain tfjs on the main thread, and how long the page is held meanwhile.
import type { Backend } from "../src/types.js";
import { SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import type * as Compare from "./page/compare.js";
import { PAGE } from "./page-build.js";
import type { Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    bench: typeof Compare;
  }
}

interface Case {
  model: string;
  picture: string;
  backend: Backend;
  /** Most that the ratio of medians may be; absent where the figure is only reported. */
  target?: number;
}

const CASES: Case[] = [
  { model: "objects", picture: "/photos/chelsea.jpg", backend: "wasm", target: 1.05 },
  { model: "digits", picture: "/photos/chelsea.jpg", backend: "wasm" },
  { model: "digits", picture: "/photos/chelsea.jpg", backend: "cpu" },
];
const LONGEST_TASK_MS = 50;

export interface PredictOptions {
  rounds: number;
  only?: string;
  webgpu: boolean;
}

/** Answers the browser's version. */
export async function benchPredict(options: PredictOptions, report: Report): Promise<string> {
  const args = options.webgpu ? SWIFTSHADER_WEBGPU : [];
  const library = await openLibrary({ args }, { mounts: { "/bench/": PAGE } });
  const { version } = library.chromium;
  try {
    report.say(`Chromium ${version}, ${options.rounds} rounds a case, milliseconds\n`);
    report.say("model    backend   plain p50   p95   p99   insitu p50   p95   p99   ratio (95 %)          target");
    const more: Case[] = options.webgpu
      ? [{ model: "objects", picture: "/photos/chelsea.jpg", backend: "webgpu" }]
      : [];
    for (const one of [...CASES, ...more])
      if (!options.only || options.only === one.model) await compareOne(one, options.rounds, library, report);
    if (!options.only || options.only === "objects") await holdOne(library, report);
    return version;
  } finally {
    await library.close();
  }
}

async function ready(library: LibraryPage): Promise<void> {
  await library.visit();
  await library.page.addScriptTag({
    type: "module",
    content: 'import * as bench from "/bench/compare.js"; window.bench = bench;',
  });
  await library.page.waitForFunction(() => "bench" in window);
}

async function compareOne(one: Case, rounds: number, library: LibraryPage, report: Report): Promise<void> {
  const { model, picture, backend, target } = one;
  await ready(library);
  const { plain, insitu, labels, ...ran } = await library.page.evaluate(
    ([base, image, on, count]) => window.bench.compare(window.insitu.createClient, base, image, on, count),
    [`/models/${model}/`, picture, backend, rounds] as const,
  );
  if (ran.backend !== backend)
    throw new Error(`${model} ran on ${ran.backend}, not on ${backend}: the row is worthless.`);
  if (model === "objects" && labels[0] !== labels[1])
    throw new Error(`${model}: plain tfjs says ${labels[0]}, insitu ${labels[1]}.`);
  const ratio = ratioOfMedians(insitu, plain);
  const figures = (times: number[]) => [0.5, 0.95, 0.99].map((share) => percentile(times, share));
  const cells = (times: number[]) =>
    figures(times)
      .map((value) => value.toFixed(1).padStart(7))
      .join("");
  const verdict = report.mark(target, ratio.value);
  report.say(
    `${model.padEnd(9)}${backend.padEnd(8)}${cells(plain)}     ${cells(insitu)}   ${ratio.value.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})   ${verdict}`,
  );
  const { digest } = ran;
  report.row({ part: "predict", model, backend, digest, n: insitu.length, plain: figures(plain), insitu: figures(insitu), ratio, target }); // biome-ignore format: one line
}

async function holdOne(library: LibraryPage, report: Report): Promise<void> {
  await ready(library);
  const held = await library.page.evaluate(() =>
    window.bench.hold(window.insitu.createClient, "/models/objects/", "/photos/chelsea.jpg", "wasm", 50),
  );
  const longest = Math.max(held.longestTask, held.longestWait);
  report.say(
    `\nlongest hold of the main thread during load and 50 predictions of objects on wasm: ${longest.toFixed(1)} ms   ${report.mark(LONGEST_TASK_MS, longest)}`,
  );
  report.say(
    `load of objects, worker start and warm-up included: ${held.coldLoadMs.toFixed(0)} ms from the network into an empty store, ${held.warmLoadMs.toFixed(0)} ms from the store`,
  );
  report.row({ part: "hold", model: "objects", backend: "wasm", ...held, target: LONGEST_TASK_MS });
}
