// Compares the built library with another build of it, such as the last release: predictions and warm starts, interleaved.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MOUNTS } from "../test/support/page.js";
import { startServer } from "../test/support/server.js";
import { type BareBrowser, type BarePage, launchBare } from "./bare.js";
import { interval, type Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

const MODELS = ["digits", "objects"] as const;
const PREDICT_ROUNDS = 40;
const START_ROUNDS = 10;
// The first visits fill the store and the HTTP cache; Chromium caches compiled scripts from the third visit.
const WARM_UP_ROUNDS = 3;

/** `now` is `dist`, `before` the other build. */
const SIDES = { now: "/dist/index.js", before: "/before/index.js" } as const;
type Side = keyof typeof SIDES;
type Times = Record<Side, number[]>;

/** `against` is the `dist` folder of the other build. Resolves to the browser's version. */
export async function benchVersions(
  { against, rounds }: { against?: string; rounds?: number },
  report: Report,
): Promise<string> {
  const folder = resolve(against ?? "");
  if (!against || !existsSync(join(folder, "index.js")))
    throw new Error("versions needs --against <folder>: the dist folder of another build, with its index.js.");
  const headers = { "Cache-Control": "max-age=3600" };
  const server = await startServer({ mounts: { ...MOUNTS, "/before/": folder }, headers });
  const browser = await launchBare();
  try {
    report.say(`\nThis build and ${folder}, on wasm; milliseconds, medians: now / before, ratio (95 % interval)`);
    for (const model of MODELS) {
      const row = { part: "versions", model, browser: browser.version };
      show(
        await predictions(browser, server.url, model, rounds ?? PREDICT_ROUNDS),
        { ...row, what: "predict" },
        report,
      );
      show(await starts(browser, server.url, model, rounds ?? START_ROUNDS), { ...row, what: "start" }, report);
    }
    return browser.version;
  } finally {
    await browser.close();
    await server.close();
  }
}

function show({ now, before }: Times, row: Record<string, unknown>, report: Report): void {
  const ratio = ratioOfMedians(now, before);
  const medians = { now: percentile(now, 0.5), before: percentile(before, 0.5) };
  const cells = `${medians.now.toFixed(1).padStart(7)} /${medians.before.toFixed(1).padStart(7)}`;
  report.say(
    `  ${String(row.model).padEnd(10)}${String(row.what).padEnd(10)}${cells}   ${interval(ratio)}   (reported)`,
  );
  report.row({ ...row, n: now.length, ...medians, ratio });
}

/** In an expression of the page: makes a client of a side, and an input that every model takes. */
const SETUP = `
  const open = async (path, side, model) => {
    const { createClient } = await import(path);
    const client = createClient({ backends: ["wasm"], storage: { name: "bench-" + side } });
    return { client, load: () => client.load("/models/" + model + "/") };
  };
  const inputOf = async (model) =>
    model === "digits" ? new Float32Array(784).fill(0.5) : createImageBitmap(await (await fetch("/photos/chelsea.jpg")).blob());`;

/** Both builds in one page, one prediction each a round. */
async function predictions(browser: BareBrowser, url: string, model: string, rounds: number): Promise<Times> {
  return withPage(browser, url, (page) =>
    page.evaluate<Times>(`(async () => { ${SETUP}
      const input = await inputOf("${model}");
      const sides = {};
      for (const [side, path] of Object.entries(${JSON.stringify(SIDES)})) {
        sides[side] = await (await open(path, side, "${model}")).load();
        await sides[side].tuned;
      }
      const times = { now: [], before: [] };
      for (let round = -3; round < ${rounds}; round += 1) {
        for (const side of round % 2 ? ["now", "before"] : ["before", "now"]) {
          const start = performance.now();
          await sides[side].predict(input);
          if (round >= 0) times[side].push(performance.now() - start);
        }
      }
      return times;
    })()`),
  );
}

/** Each visit in a page of its own: from `load` to the first prediction, with the scripts fetched before. */
async function starts(browser: BareBrowser, url: string, model: string, rounds: number): Promise<Times> {
  const times: Times = { now: [], before: [] };
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const order: Side[] = round % 2 ? ["now", "before"] : ["before", "now"];
    for (const side of order) {
      const ms = await withPage(browser, url, (page) =>
        page.evaluate<number>(`(async () => { ${SETUP}
          const input = await inputOf("${model}");
          const { load } = await open("${SIDES[side]}", "${side}", "${model}");
          const start = performance.now();
          await (await load()).predict(input);
          return performance.now() - start;
        })()`),
      );
      if (round >= 0) times[side].push(ms);
    }
  }
  return times;
}

async function withPage<T>(browser: BareBrowser, url: string, run: (page: BarePage) => Promise<T>): Promise<T> {
  const page = await browser.open(url);
  try {
    return await run(page);
  } finally {
    await page.close();
  }
}
