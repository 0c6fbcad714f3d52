// Compares insitu with plain tfjs from `load` to the first prediction in a new page, after an earlier visit stored everything.
import type { Backend } from "../src/index.js";
import { MOUNTS } from "../test/support/page.js";
import { startServer } from "../test/support/server.js";
import { type BareBrowser, launchBare } from "./bare.js";
import { inTime } from "./in-time.js";
import { makeNetworks, NETWORKS, type Network, networkBase, networkMounts } from "./networks.js";
import type { Started } from "./page/start-insitu.js";
import { PAGE } from "./page-build.js";
import { interval, type Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

/** Median of insitu divided by that of plain tfjs (issue 4). */
const MAX_RATIO = 0.6;
/** The same with both sides' scripts (issue 15); none for a network that is not named there. */
const MAX_WHOLE: Record<string, number> = {
  digits: 0.5,
  selfie: 0.5,
  "handlandmark-full": 0.7,
  faceres: 0.7,
  objects: 0.7,
};
const ROUNDS = 15;
// The first visits fill the store and the HTTP cache; Chromium caches compiled scripts from the third visit.
const WARM_UP_ROUNDS = 3;

/** `running`: insitu with its worker already started, as plain tfjs's script is. */
type Side = "insitu" | "running" | "plain";
const SIDES: Side[] = ["insitu", "running", "plain"];

interface Visit extends Started {
  /** Time to fetch and run the side's scripts; not part of `ms`. */
  importMs: number;
}

export interface StartOptions {
  only?: string;
  rounds?: number;
  /** Default: wasm. */
  backend?: Backend;
  /** The browser's. */
  args?: string[];
  /** Words for `backend`. */
  where?: string;
  /** Default: all. */
  networks?: Network[];
}

/** Resolves to the browser's version. */
export async function benchStart(
  { only, rounds, backend = "wasm", args, where = backend, networks: all = NETWORKS }: StartOptions,
  report: Report,
): Promise<string> {
  const networks = all.filter(({ name }) => !only || only === name);
  await makeNetworks(networks, report.say);
  const mounts = { ...MOUNTS, ...networkMounts(), "/bench/": PAGE };
  // Allows the HTTP cache to store what plain tfjs loads.
  const server = await startServer({ mounts, headers: { "Cache-Control": "max-age=3600" } });
  const browser = await launchBare(args);
  try {
    report.say(`\nFrom load to the first prediction in a fresh page, warm, on ${where}; milliseconds, medians`);
    for (const network of networks) {
      const row = { part: "start", model: network.name, backend, where, browser: browser.version };
      try {
        await measure(browser, server.url, network, { rounds: rounds ?? ROUNDS, backend }, { row, report });
      } catch (error) {
        report.error(row, error);
      }
    }
    return browser.version;
  } finally {
    await browser.close();
    await server.close();
  }
}

async function measure(
  browser: BareBrowser,
  url: string,
  network: Network,
  { rounds, backend }: { rounds: number; backend: Backend },
  { row, report }: { row: Record<string, unknown>; report: Report },
): Promise<void> {
  const visits: Record<Side, Visit[]> = { insitu: [], running: [], plain: [] };
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? SIDES : [...SIDES].reverse()) {
      const visit = await inTime(visitOnce(browser, url, side, { network, backend }), 2, `A start of ${side}`);
      if (round < 0) continue;
      const isStored = side === "plain" || (visit.source === "cache" && visit.isPlanned);
      if (visit.backend !== backend || !isStored)
        throw new Error(
          `${side} ran on ${visit.backend} from ${visit.source}${visit.isPlanned ? "" : ", without a plan"}: the row is not valid.`,
        );
      visits[side].push(visit);
    }
  }
  const isWasm = backend === "wasm";
  const times = (side: Side) => visits[side].map(({ ms }) => ms);
  const whole = (side: Side) => visits[side].map(({ ms, importMs }) => ms + importMs);
  for (const [what, of, side, target] of [
    ["from load", times, "insitu", isWasm ? MAX_RATIO : undefined],
    ["its worker running", times, "running", undefined],
    ["scripts included", whole, "insitu", isWasm ? MAX_WHOLE[network.name] : undefined],
  ] as const) {
    const ratio = ratioOfMedians(of(side), of("plain"));
    const [ours, theirs] = ([side, "plain"] as const).map((each) => ({ p50: percentile(of(each), 0.5), p95: percentile(of(each), 0.95) })); // biome-ignore format: one line
    const cells = `${ours?.p50.toFixed(0).padStart(6)} /${theirs?.p50.toFixed(0).padStart(6)}`;
    report.say(
      `  ${network.name.padEnd(19)}${what.padEnd(20)}${cells}   ${interval(ratio)}   ${report.mark(target, ratio.value)}`,
    );
    const { digest } = visits.insitu[0] ?? {};
    report.row({ ...row, what, digest, n: rounds, insitu: ours, plain: theirs, ratio, target });
  }
}

/** Each visit has its own page and process. */
async function visitOnce(
  browser: BareBrowser,
  url: string,
  side: Side,
  { network: { name, picture }, backend }: { network: Network; backend: Backend },
): Promise<Visit> {
  const scripts = side === "plain" ? ["/bench/start-plain.js"] : ["/bench/start-insitu.js", "/dist/index.js"];
  const arguments_ = [networkBase(name), picture, side === "running", backend]
    .map((value) => JSON.stringify(value))
    .join(", ");
  const call = side === "plain" ? `own.start(${arguments_})` : `own.start(library.createClient, ${arguments_})`;
  const page = await browser.open(url);
  try {
    return await page.evaluate<Visit>(`(async () => {
      const began = performance.now();
      const [own, library] = await Promise.all([${scripts.map((path) => `import("${path}")`).join(", ")}]);
      const importMs = performance.now() - began;
      return { importMs, ...(await ${call}) };
    })()`);
  } finally {
    await page.close();
  }
}
