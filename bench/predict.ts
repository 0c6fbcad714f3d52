// Compares predictions of insitu, plain tfjs and, if installed, other engines in one interleaved run.
import type { Backend } from "../src/shared/types/tensor.js";
import { SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { holdOne } from "./hold.js";
import { inTime } from "./in-time.js";
import { type Cores, makeNetworks, NETWORKS, type Network, networkBase, networkMounts } from "./networks.js";
import type * as Compare from "./page/compare.js";
import type { Comparison, SideResult } from "./page/compare.js";
import { PAGE } from "./page-build.js";
import { NO_PEERS, type PeerSite } from "./peers/site.js";
import { interval, type Report } from "./report.js";
import { percentile, type Ratio, ratioOfMedians } from "./statistics.js";

declare global {
  interface Window {
    bench: typeof Compare;
  }
}

interface Case {
  network: Network;
  backend: Backend;
  cores: Cores;
}

export interface PredictOptions {
  rounds: number;
  only?: string;
  cores?: Cores;
  webgpu: boolean;
}

/** Outputs must agree within this, or the row is an error (issue 4). */
const MAX_DIFFERENCE = 1e-3;

// Fifty rounds of six engines take 1 minute; a software GPU needs 20.
const MAX_MINUTES = 40;

const PLAIN = "plain tfjs";

const WHERE: Record<Cores, string> = {
  one: "one thread (the page is not cross-origin isolated)",
  all: "all cores (the page is cross-origin isolated)",
};

/** Resolves to the browser's version. */
export async function benchPredict(
  options: PredictOptions,
  report: Report,
  peers: PeerSite = NO_PEERS,
): Promise<string> {
  const networks = NETWORKS.filter(({ name }) => !options.only || options.only === name);
  await makeNetworks(networks, report.say);
  let version = "";
  for (const cores of ["one", "all"] as const) {
    if (options.cores && options.cores !== cores) continue;
    const mounts = { ...networkMounts(), ...peers.mounts, "/bench/": PAGE };
    const args = options.webgpu ? SWIFTSHADER_WEBGPU : [];
    const library = await openLibrary({ args }, { mounts, isolated: cores === "all" });
    version = library.chromium.version;
    try {
      report.say(`\nChromium ${version}, ${WHERE[cores]}, ${options.rounds} rounds; milliseconds`);
      for (const one of casesOf(networks, cores, options.webgpu))
        await compareOne(one, options, peers, library, report);
      if (cores === "one" && networks.some(({ name }) => name === "objects")) await holdOne(library, report);
    } finally {
      await library.close();
    }
  }
  return version;
}

function casesOf(networks: Network[], cores: Cores, webgpu: boolean): Case[] {
  const on = (backend: Backend, name?: string) =>
    networks.filter((network) => !name || network.name === name).map((network) => ({ network, backend, cores }));
  if (cores === "all") return on("wasm");
  return [...on("wasm"), ...on("cpu", "digits"), ...(webgpu ? on("webgpu", "objects") : [])];
}

async function compareOne(
  one: Case,
  { rounds }: PredictOptions,
  peers: PeerSite,
  library: LibraryPage,
  report: Report,
) {
  const { network, backend, cores } = one;
  const { name: model } = network;
  const row = { part: "predict", model, backend, cores, browser: library.chromium.version };
  report.say(`\n${model}, ${backend}`);
  try {
    await library.visit();
    const script = 'import * as bench from "/bench/compare.js"; window.bench = bench;';
    await library.page.addScriptTag({ type: "module", content: script });
    await library.page.waitForFunction(() => "bench" in window);
    const plan = { base: networkBase(model), picture: network.picture, backend, rounds, peers: backend === "wasm" ? peers.of(model, cores) : [] }; // biome-ignore format: one line
    const work = library.page.evaluate((given) => window.bench.compare(window.insitu.createClient, given), plan);
    const found = await inTime(work, MAX_MINUTES, `${model} on ${backend}`);
    for (const { name, reason } of found.failed) report.error({ ...row, against: name }, `${name}: ${reason}`);
    print(one, found, row, report);
  } catch (error) {
    report.error(row, error);
  }
}

function print(
  { network, backend, cores }: Case,
  found: Comparison,
  row: Record<string, unknown>,
  report: Report,
): void {
  const [insitu, ...others] = found.sides;
  if (!insitu) throw new Error("The page returned no measurements.");
  if (found.isolated !== (cores === "all")) throw new Error(`crossOriginIsolated is ${found.isolated}.`);
  check(insitu, backend, cores);
  report.say(line(insitu, ""));
  if (insitu.ran.choice) report.say(`    its own measurements: ${insitu.ran.choice}`);
  const best = bestOf(others);
  for (const other of others) {
    const sides = { insitu: summary(insitu), other: summary(other) };
    const about = { ...row, against: other.name, best: best.has(other.name), digest: insitu.ran.digest, n: other.times.length, ...sides }; // biome-ignore format: one line
    try {
      check(other, backend, cores);
      const ratio = ratioOfMedians(insitu.times, other.times);
      // The targets apply to plain tfjs on wasm; digits on cpu and objects on WebGPU are only reported.
      const target = other.name === PLAIN && backend === "wasm" ? network.maxRatio[cores] : undefined;
      const words = other.name === PLAIN || !best.has(other.name) ? "" : ", its best number of threads";
      report.say(line(other, `${interval(ratio)}   ${report.mark(target, ratio.value)}${words}`));
      report.row({ ...about, ratio: ratio satisfies Ratio, target });
    } catch (error) {
      report.error(about, error);
    }
  }
}

/** The fastest run of each engine. The name of a peer ends in a comma and its number of threads. */
function bestOf(sides: SideResult[]): Set<string> {
  const best = new Map<string, SideResult>();
  for (const side of sides) {
    const [engine = ""] = side.name.split(",");
    const before = best.get(engine);
    if (!before || percentile(side.times, 0.5) < percentile(before.times, 0.5)) best.set(engine, side);
  }
  return new Set([...best.values()].map(({ name }) => name));
}

/** Throws if a side ran on another backend, on too many threads, or returned other outputs. */
function check({ name, ran, difference }: SideResult, backend: Backend, cores: Cores): void {
  if (ran.backend !== backend)
    throw new Error(`${name} ran on ${ran.backend}, not on ${backend}: the row is not valid.`);
  if (cores === "one" && (ran.threads ?? 1) > 1)
    throw new Error(`${name} ran on ${ran.threads} threads where only one is possible: the row is not valid.`);
  if (!(difference <= MAX_DIFFERENCE))
    throw new Error(
      `${name} differs by ${difference.toExponential(1)} from plain tfjs for the same input; at most ${MAX_DIFFERENCE} is allowed.`,
    );
}

function summary({ times, ran, difference }: SideResult) {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(times, share));
  return { p50, p95, p99, threads: ran.threads, choice: ran.choice, difference };
}

function line(side: SideResult, verdict: string): string {
  const { p50 = 0, p95 = 0, p99 = 0, threads, difference } = summary(side);
  const cells = [p50, p95, p99].map((value) => value.toFixed(1).padStart(8)).join("");
  const on = threads === undefined ? "" : `${threads} thread${threads > 1 ? "s" : ""}`;
  return `  ${side.name.padEnd(22)}${on.padEnd(10)}${cells}   difference ${difference.toExponential(0)}   ${verdict && `insitu / other ${verdict}`}`;
}
