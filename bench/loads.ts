// Compares loads by insitu, from the network and from the store, with plain tfjs and the HTTP cache, interleaved in one page.
import { baseOf, type LoadsPage, openLoadsBrowser } from "./loads-page.js";
import { makePackages, type PackageName, packageBytes } from "./packages.js";
import type { Loaded, LoadedByInsitu } from "./page/loads.js";
import type { Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

const CASES: { name: PackageName; rounds: number }[] = [
  { name: "4MB", rounds: 15 },
  { name: "32MB", rounds: 11 },
  { name: "256MB", rounds: 7 },
  { name: "32MB-float16", rounds: 7 },
  { name: "32MB-uint8", rounds: 7 },
];

type Side = "coldInsitu" | "coldPlain" | "warmInsitu" | "warmPlain" | "httpCache";
const SIDES: Side[] = ["coldInsitu", "coldPlain", "warmInsitu", "warmPlain", "httpCache"];

const RATIOS: { what: string; ours: Side; theirs: Side; target?: number }[] = [
  { what: "cold, against plain tfjs", ours: "coldInsitu", theirs: "coldPlain", target: 1.15 },
  { what: "warm, against tfjs indexeddb://", ours: "warmInsitu", theirs: "warmPlain", target: 0.75 },
  { what: "warm, against fetch from the HTTP cache", ours: "warmInsitu", theirs: "httpCache" },
];

/** Resolves to the browser's version. */
export async function benchLoads({ only }: { only?: string }, report: Report): Promise<string> {
  const cases = CASES.filter(({ name }) => !only || only === name);
  await makePackages(["tiny", ...cases.map(({ name }) => name)], report.say);
  const browser = await openLoadsBrowser();
  try {
    report.say("\nLoads on wasm until the first output is read back; milliseconds, medians");
    for (const { name, rounds } of cases) await measure(await browser.open(), name, rounds, report);
    return browser.version;
  } finally {
    await browser.close();
  }
}

async function measure(page: LoadsPage, name: PackageName, rounds: number, report: Report): Promise<void> {
  const base = baseOf(name);
  await page.call("startPlain", baseOf("tiny"));
  await page.evaluate(`loads.startInsitu(insitu.createClient, ${JSON.stringify(baseOf("tiny"))})`);
  await page.call("keepPlain", base);
  const times: Record<Side, number[]> = { coldInsitu: [], coldPlain: [], warmInsitu: [], warmPlain: [], httpCache: [] };
  // Round -1 is not measured: it compiles code and fills the HTTP cache.
  for (let round = -1; round < rounds; round += 1) {
    const turn = round < 0 ? 0 : round % SIDES.length;
    const outputs = new Set<string>();
    // The order rotates. A warm load needs a filled store, so `run` fills it first.
    for (const side of [...SIDES.slice(turn), ...SIDES.slice(0, turn)]) {
      const { ms, output } = await run(page, side, base);
      if (round >= 0) times[side].push(ms);
      if (output) outputs.add(String(output));
    }
    if (outputs.size !== 1) throw new Error(`${name}: the sides returned ${outputs.size} different outputs.`);
  }
  await page.call("dropPlain", base);
  await page.call("forget", base);
  await page.close();
  print(name, times, report);
}

async function run(page: LoadsPage, side: Side, base: string): Promise<{ ms: number; output?: number[] }> {
  if (side === "coldInsitu") await page.call("forget", base);
  if (side === "warmInsitu") await page.call("loadInsitu", base);
  await page.call("collect");
  switch (side) {
    case "coldInsitu":
    case "warmInsitu": {
      const loaded = await page.call<LoadedByInsitu>("loadInsitu", base);
      const { source, backend, storeError } = loaded.info;
      const expected = side === "coldInsitu" ? "network" : "cache";
      if (source !== expected || backend !== "wasm" || storeError)
        throw new Error(`${base} came from ${source} on ${backend} (${storeError?.message}): the row is not valid.`);
      return loaded;
    }
    case "coldPlain":
      return page.call<Loaded>("loadPlain", base, "network");
    case "warmPlain":
      return page.call<Loaded>("loadPlain", base, "store");
    case "httpCache":
      return page.call("readHttpCache", base);
    default:
      return side satisfies never;
  }
}

function print(name: PackageName, times: Record<Side, number[]>, report: Report): void {
  const p50 = Object.fromEntries(SIDES.map((side) => [side, percentile(times[side], 0.5)]));
  report.say(`\n${name} (${packageBytes(name)} bytes), ${times.coldInsitu.length} rounds`);
  for (const { what, ours, theirs, target } of RATIOS) {
    const ratio = ratioOfMedians(times[ours], times[theirs]);
    const figures = `${p50[ours]?.toFixed(0).padStart(6)} /${p50[theirs]?.toFixed(0).padStart(6)}`;
    const interval = `${ratio.value.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})`;
    report.say(`  ${what.padEnd(41)}${figures}   ${interval}   ${report.mark(target, ratio.value)}`);
    report.row({ part: "loads", package: name, what, ours: times[ours], theirs: times[theirs], ratio, target });
  }
}
