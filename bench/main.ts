// `npm run bench`: insitu against plain TensorFlow.js in one interleaved run, in a real browser.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { build } from "vite";
import type { Backend } from "../src/types.js";
import { SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { openLibrary } from "../test/support/page.js";
import type * as Compare from "./page/compare.js";
import { percentile, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    bench: typeof Compare;
  }
}

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGE = join(ROOT, ".cache", "bench");

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

interface Options {
  rounds: number;
  only?: string;
  webgpu: boolean;
  json: boolean;
  strict: boolean;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 5) throw new InvalidArgumentError("It must be a whole number of at least 5.");
  return value;
}

const program = new Command("npm run bench --")
  .description(
    "Compares insitu with plain tfjs on the main thread: same model, same backend, image preparation included.",
  )
  .option("--rounds <n>", "interleaved rounds a case", whole, 50)
  .option("--only <model>", "cases of this model only")
  .option("--webgpu", "adds objects on WebGPU; without a GPU in software, and very slow", false)
  .option("--json", "prints the figures as JSON", false)
  .option("--strict", "exits with 1 when a target is missed", false)
  .addHelpText(
    "after",
    "\nBoth sides run on one thread with SIMD: the page is not cross-origin isolated. Results are also written to bench/results/.",
  );
program.parse();
const options = program.opts<Options>();
const say = (line: string) => (options.json ? console.error(line) : console.log(line));

await build({
  root: ROOT,
  configFile: false,
  logLevel: "error",
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: PAGE,
    emptyOutDir: true,
    lib: { entry: join(ROOT, "bench/page/compare.ts"), formats: ["es"], fileName: "compare" },
  },
});

const library = await openLibrary({ args: options.webgpu ? SWIFTSHADER_WEBGPU : [] }, { mounts: { "/bench/": PAGE } });
const rows: Record<string, unknown>[] = [];
let missed = 0;
try {
  say(`Chromium ${library.chromium.version}, ${options.rounds} rounds a case, milliseconds\n`);
  say("model    backend   plain p50   p95   p99   insitu p50   p95   p99   ratio (95 %)          target");
  for (const one of CASES.concat(
    options.webgpu ? [{ model: "objects", picture: "/photos/chelsea.jpg", backend: "webgpu" }] : [],
  )) {
    if (!options.only || options.only === one.model) await compareOne(one);
  }
  if (!options.only || options.only === "objects") await holdOne();
} finally {
  await library.close();
}
const results = { browser: library.chromium.version, rounds: options.rounds, rows };
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
writeFileSync(join(ROOT, "bench/results/latest.json"), JSON.stringify(results, null, 2));
if (options.json) console.log(JSON.stringify(results, null, 2));
process.exitCode = options.strict && missed > 0 ? 1 : 0;

async function ready(): Promise<void> {
  await library.visit();
  await library.page.addScriptTag({
    type: "module",
    content: 'import * as bench from "/bench/compare.js"; window.bench = bench;',
  });
  await library.page.waitForFunction(() => "bench" in window);
}

async function compareOne({ model, picture, backend, target }: Case): Promise<void> {
  await ready();
  const {
    plain,
    insitu,
    labels,
    backend: used,
    digest,
  } = await library.page.evaluate(
    ([base, image, on, rounds]) => window.bench.compare(window.insitu.createClient, base, image, on, rounds),
    [`/models/${model}/`, picture, backend, options.rounds] as const,
  );
  if (used !== backend) throw new Error(`${model} ran on ${used}, not on ${backend}: the row is worthless.`);
  if (model === "objects" && labels[0] !== labels[1])
    throw new Error(`${model}: plain tfjs says ${labels[0]}, insitu ${labels[1]}.`);
  const ratio = ratioOfMedians(insitu, plain);
  const figures = (times: number[]) => [0.5, 0.95, 0.99].map((share) => percentile(times, share));
  const cells = (times: number[]) =>
    figures(times)
      .map((value) => value.toFixed(1).padStart(7))
      .join("");
  const verdict = mark(target, ratio.value);
  say(
    `${model.padEnd(9)}${backend.padEnd(8)}${cells(plain)}     ${cells(insitu)}   ${ratio.value.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})   ${verdict}`,
  );
  rows.push({
    model,
    backend,
    digest,
    n: insitu.length,
    plain: figures(plain),
    insitu: figures(insitu),
    ratio,
    target,
  });
}

async function holdOne(): Promise<void> {
  await ready();
  const held = await library.page.evaluate(() =>
    window.bench.hold(window.insitu.createClient, "/models/objects/", "/photos/chelsea.jpg", "wasm", 50),
  );
  const longest = Math.max(held.longestTask, held.longestWait);
  say(
    `\nlongest hold of the main thread during load and 50 predictions of objects on wasm: ${longest.toFixed(1)} ms   ${mark(LONGEST_TASK_MS, longest)}`,
  );
  say(
    `load of objects, worker start and warm-up included: ${held.coldLoadMs.toFixed(0)} ms from the network into an empty store, ${held.warmLoadMs.toFixed(0)} ms from the store`,
  );
  rows.push({ model: "objects", backend: "wasm", ...held, target: LONGEST_TASK_MS });
}

function mark(target: number | undefined, value: number): string {
  if (target === undefined) return "(reported)";
  if (value <= target) return `at most ${target}: met`;
  missed += 1;
  return `at most ${target}: MISSED`;
}
