// The packed library in other people's builds and pages: one visit, and a second one when the model's host is gone.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../support/chromium.js";
import { CONSUMERS, type Consumer, type Site } from "./cases.js";
import { removeApps } from "./support/app.js";
import { visitTwice } from "./support/visit.js";

/** Installing over a slow line, and a build on a busy machine. */
const SLOW_MS = 400_000;
const RESULTS = fileURLToPath(new URL("../../.cache/consumers/", import.meta.url));
const all = process.env.INSITU_CONSUMERS === "all";
// Without a GPU the answer must come from wasm, whose binaries are what a bundler loses.
const FLAGS = ["--disable-gpu"];

let browser: Chromium;
beforeAll(async () => {
  mkdirSync(RESULTS, { recursive: true });
  browser = await launchChromium({ args: FLAGS });
});
afterAll(async () => {
  await browser?.close();
  await removeApps();
});

/** An extension needs a profile; other sites a private window of their own. */
async function contextFor({ browser: own }: Site) {
  if (!own) {
    const context = await browser.context.browser()?.newContext();
    if (!context) throw new Error("The browser has no second window.");
    return { context, close: () => context.close() };
  }
  return launchChromium({ args: [...FLAGS, ...own.args], userDataDir: "" });
}

async function tryConsumer({ open }: Consumer): Promise<void> {
  const site = await open();
  try {
    const { context, close } = await contextFor(site);
    try {
      await visitTwice(context, site.url, site.removeModels);
    } finally {
      await close();
    }
  } finally {
    await site.close();
  }
}

/** For the table that scripts/consumers.ts prints. */
function report({ name, how }: Consumer, seconds: number, error?: unknown): void {
  const message = error instanceof Error ? error.message : error && String(error);
  const file = `${name} ${how}`.replace(/[^\w]+/g, "-");
  writeFileSync(
    join(RESULTS, `${file}.json`),
    JSON.stringify({ name, how, seconds, error: message, chromium: browser.version }),
  );
}

describe("a stranger's app", () => {
  test.each(CONSUMERS.filter(({ core }) => all || core))(
    "$name: $how",
    async (consumer) => {
      const started = performance.now();
      const seconds = () => Math.round((performance.now() - started) / 1000);
      try {
        await tryConsumer(consumer);
        report(consumer, seconds());
      } catch (error) {
        report(consumer, seconds(), error);
        throw error;
      }
    },
    SLOW_MS,
  );

  test("every consumer has a row of its own", () => {
    const rows = CONSUMERS.map(({ name, how }) => `${name}: ${how}`);
    expect(new Set(rows).size).toBe(rows.length);
  });
});
