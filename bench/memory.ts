// Measures the peak memory of a load above the model's own size, for the page's whole process (Linux only).
import { resetPeak, residentBytes } from "./bare.js";
import { baseOf, type LoadsBrowser, type LoadsPage, openLoadsBrowser } from "./loads-page.js";
import { makePackages, type PackageName, packageBytes } from "./packages.js";
import type { Report } from "./report.js";

const PACKAGE: PackageName = "256MB";
const TARGET_MB = 64;
const MB = 1024 * 1024;

interface MemoryCase {
  what: string;
  /** Expressions that run before the measurement. */
  prepare: string[];
  load: string;
  target?: number;
}

const tiny = JSON.stringify(baseOf("tiny"));
const base = JSON.stringify(baseOf(PACKAGE));
const start = `loads.startInsitu(insitu.createClient, ${tiny})`;

const CASES: MemoryCase[] = [
  { what: "insitu, from the network", prepare: [start, `loads.forget(${base})`], load: `loads.loadInsitu(${base})`, target: TARGET_MB },
  { what: "insitu, from the store", prepare: [start], load: `loads.loadInsitu(${base})`, target: TARGET_MB },
  { what: "plain tfjs, from the network", prepare: [`loads.startPlain(${tiny})`], load: `loads.loadPlain(${base}, "network")` },
  { what: "plain tfjs, from indexeddb://", prepare: [`loads.startPlain(${tiny})`], load: `loads.loadPlain(${base}, "store")` },
]; // biome-ignore format: a table

/** Resolves to the browser's version. */
export async function benchMemory({ only }: { only?: string }, report: Report): Promise<string> {
  if (process.platform !== "linux") {
    report.say("\nSkipped: peak memory is read from /proc, which this system does not have.");
    return "";
  }
  await makePackages(["tiny", PACKAGE], report.say);
  const browser = await openLoadsBrowser();
  try {
    if (only && only !== PACKAGE) return browser.version;
    report.say(`\nPeak resident memory of the page's process during a load of ${PACKAGE}, above the model's own size`);
    await keepPlain(browser);
    for (const one of CASES) await measure(browser, one, report);
    return browser.version;
  } finally {
    await browser.close();
  }
}

async function keepPlain(browser: LoadsBrowser): Promise<void> {
  const page = await browser.open();
  await page.call("startPlain", baseOf("tiny"));
  await page.call("keepPlain", baseOf(PACKAGE));
  // tfjs resolves before the model is saved, so load it once.
  await page.call("loadPlain", baseOf(PACKAGE), "store");
  await close(browser, page);
}

/** Waits until the page's process has ended, so that the next page starts in a new one. */
async function close(browser: LoadsBrowser, page: LoadsPage): Promise<void> {
  const before = await browser.renderers();
  await page.close();
  while ((await browser.renderers()).length >= before.length) await new Promise((done) => setTimeout(done, 50));
}

/** Uses a new page, since a load leaves memory in its process. */
async function measure(browser: LoadsBrowser, one: MemoryCase, report: Report): Promise<void> {
  const page = await browser.open();
  for (const expression of one.prepare) await page.evaluate(`Promise.resolve(${expression}).then(() => 0)`);
  await page.call("collect");
  const pids = await browser.renderers();
  for (const pid of pids) resetPeak(pid);
  const before = pids.map((pid) => residentBytes(pid).now);
  await page.evaluate(`${one.load}.then(() => 0)`);
  // The process that grew most is the page's.
  const grown = Math.max(...pids.map((pid, index) => residentBytes(pid).peak - (before[index] as number)));
  const above = (grown - packageBytes(PACKAGE)) / MB;
  await close(browser, page);
  report.say(`  ${one.what.padEnd(34)}${above.toFixed(0).padStart(6)} MB   ${report.mark(one.target, above)}`);
  report.row({ part: "memory", package: PACKAGE, what: one.what, aboveMB: above, target: one.target });
}
