// Real pages of the fleet: the built library in Chromium, each in a browser profile of its own, on the channel that the operator publishes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { heldOut } from "../models/digits/data.js";
import type * as insitu from "../src/index.js";
import { findBrowser } from "../test/support/chromium.js";
import { importLibrary } from "../test/support/page.js";
import { startServer } from "../test/support/server.js";
import { CANARY } from "./fleet.js";
import { type RealVersions, writeVersions } from "./versions.js";

export interface RealPages {
  accuracy: RealVersions["accuracy"];
  /** Publishes a channel on the packages' host. */
  publish(text: string): void;
  /** Opens pages until there are `count`, and `canaries` of them are on the canary. */
  open(count: number, canaries: number): Promise<void>;
  /** Every page asks for the channel, predicts digits whose truth it reports, and flushes its telemetry. */
  visit(): Promise<RealVisit>;
  close(): Promise<void>;
}

export interface RealVisit {
  /** Of each page. */
  versions: string[];
  predictions: number;
  correct: number;
  failed: number;
}

const PER_VISIT = 20;
const MAX_PAGES = 60;
// A profile without a sandbox is what a container allows.
const FLAGS = ["--no-sandbox", "--no-first-run", "--disable-quic", "--disable-background-networking", "--disable-sync"];

export async function startRealPages(collector: string, points: number): Promise<RealPages> {
  const folder = mkdtempSync(join(tmpdir(), "insitu-pages-"));
  const models = join(folder, "models");
  mkdirSync(models);
  const { accuracy } = await writeVersions(models, points);
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>A page of the fleet</title>");
  const server = await startServer({ mounts: { "/": folder, "/dist/": "dist" } });
  const browser: Browser = await chromium.launch({ executablePath: findBrowser(), args: FLAGS });
  const digits = heldOut();
  const pages: { page: Page; context: BrowserContext }[] = [];
  let next = 0;

  const open = async (): Promise<string> => {
    const context = await browser.newContext();
    const page = await context.newPage();
    pages.push({ page, context });
    await page.goto(server.url);
    await importLibrary(page);
    const options = { url: `${server.url}models/channel.json`, collector };
    return page.evaluate(async ({ url, collector }) => {
      const client = window.insitu.createClient({
        telemetry: { endpoint: collector, service: { name: "simulation" } },
        backends: ["wasm"],
      });
      const model = await client.load<"classification">(url, { channel: { every: 0 } });
      Object.assign(globalThis, { client, model });
      return model.info.version;
    }, options);
  };

  return {
    accuracy,
    publish: (text) => writeFileSync(join(models, "channel.json"), text),
    async open(count, canaries) {
      let onCanary = 0;
      while ((pages.length < count || onCanary < canaries) && pages.length < MAX_PAGES)
        if ((await open()) === CANARY) onCanary += 1;
    },
    async visit() {
      const visit: RealVisit = { versions: [], predictions: 0, correct: 0, failed: 0 };
      for (const { page } of pages) {
        const sample = Array.from({ length: PER_VISIT }, () => digits[(next++ * 37) % digits.length]).map((digit) => ({
          pixels: [...(digit?.pixels ?? [])],
          label: digit?.label ?? 0,
        }));
        const told = await page.evaluate(predictDigits, sample);
        visit.versions.push(told.version);
        visit.predictions += told.predictions;
        visit.correct += told.correct;
        visit.failed += told.failed;
      }
      return visit;
    },
    async close() {
      for (const { context } of pages) await context.close();
      await browser.close();
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** In the page. */
async function predictDigits(sample: { pixels: number[]; label: number }[]) {
  const { client, model } = globalThis as unknown as { client: insitu.Client; model: insitu.Model<"classification"> };
  await model.rollout?.check();
  const told = { version: model.info.version, predictions: 0, correct: 0, failed: 0 };
  for (const { pixels, label } of sample) {
    try {
      const { id, value } = await model.predict(Float32Array.from(pixels));
      told.predictions += 1;
      const correct = value[0]?.label === String(label);
      if (correct) told.correct += 1;
      await model.feedback(id, { correct });
    } catch {
      told.failed += 1;
    }
  }
  await client.telemetry.flush();
  return told;
}
