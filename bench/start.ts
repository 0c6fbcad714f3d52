// Compares insitu with plain tfjs from `load` to the first prediction in a new page, after an earlier visit stored everything.
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

/** Resolves to the browser's version. */
export async function benchStart(
  { only, rounds }: { only?: string; rounds?: number },
  report: Report,
): Promise<string> {
  const networks = NETWORKS.filter(({ name }) => !only || only === name);
  await makeNetworks(networks, report.say);
  const mounts = { ...MOUNTS, ...networkMounts(), "/bench/": PAGE };
  // Allows the HTTP cache to store what plain tfjs loads.
  const server = await startServer({ mounts, headers: { "Cache-Control": "max-age=3600" } });
  const browser = await launchBare();
  try {
    report.say("\nFrom load to the first prediction in a fresh page, warm, on wasm; milliseconds, medians");
    for (const network of networks) {
      const row = { part: "start", model: network.name, backend: "wasm", browser: browser.version };
      try {
        await measure(browser, server.url, network, rounds ?? ROUNDS, row, report);
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
  rounds: number,
  row: Record<string, unknown>,
  report: Report,
): Promise<void> {
  const visits: Record<Side, Visit[]> = { insitu: [], running: [], plain: [] };
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? SIDES : [...SIDES].reverse()) {
      const visit = await inTime(visitOnce(browser, url, side, network), 2, `A start of ${side}`);
      if (round < 0) continue;
      if (visit.backend !== "wasm" || (side !== "plain" && visit.source !== "cache"))
        throw new Error(`${side} ran on ${visit.backend} from ${visit.source}: the row is not valid.`);
      visits[side].push(visit);
    }
  }
  const times = (side: Side) => visits[side].map(({ ms }) => ms);
  const whole = (side: Side) => visits[side].map(({ ms, importMs }) => ms + importMs);
  for (const [what, of, side, target] of [
    ["from load", times, "insitu", MAX_RATIO],
    ["its worker running", times, "running", undefined],
    ["scripts included", whole, "insitu", MAX_WHOLE[network.name]],
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
async function visitOnce(browser: BareBrowser, url: string, side: Side, { name, picture }: Network): Promise<Visit> {
  const scripts = side === "plain" ? ["/bench/start-plain.js"] : ["/bench/start-insitu.js", "/dist/index.js"];
  const arguments_ = [networkBase(name), picture, side === "running"].map((value) => JSON.stringify(value)).join(", ");
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
