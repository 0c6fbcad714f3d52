// A channel of small packages on a real host, one for each test, and pages that follow it.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { ChannelOptions, ClientOptions } from "../../src/page/api-types.js";
import type { RolloutSnapshot } from "../../src/page/lazy/rollout/types.js";
import type { Channel, ChannelArm } from "../../src/shared/types/rollout.js";
import { canonicalBytes } from "../../src/worker/package/canonical-json.js";
import type { Chromium } from "./chromium.js";
import { makeGraph, type Recipe, republish } from "./graphs.js";
import { type Key, signPackage } from "./keys.js";
import { importLibrary, MOUNTS } from "./page.js";
import { startServer, type TestServer } from "./server.js";
import { connectChromium } from "./shared-browser.js";

const DIGITS = "models/digits/package";

export interface ChannelSite {
  server: TestServer;
  chromium: Chromium;
  /** The test's folder, which holds the channel and its packages. */
  folder: string;
  /** Its address from the server's root, with both slashes. */
  path: string;
  /** Writes a package of `makeGraph`. */
  tables(version: string, recipe: Partial<Recipe>): Promise<void>;
  /** Writes a version of digits. */
  digits(version: string, change?: DigitsChange): void;
  /** Writes the channel with the next release. */
  publish(arms: Partial<ChannelArm>[], more?: Partial<Channel>, key?: Key): void;
  /** A visitor who was never on the site, or another page of the same one. */
  page(visitor?: BrowserContext): Promise<Page>;
}

export interface DigitsChange {
  /** Changes the weights by name; whole numbers stay. */
  weights?: (values: Float32Array, name: string) => void;
  /** The weights of another training. */
  file?: string;
  selfTest?: boolean;
  key?: Key;
}

export const stable = (version: string, weight = 1): Partial<ChannelArm> => arm(version, "stable", weight);
export const canary = (version: string, weight = 1): Partial<ChannelArm> => arm(version, "canary", weight);
export const shadow = (version: string, share = 1): Partial<ChannelArm> => ({ ...arm(version, "shadow", 0), share });

const arm = (version: string, role: ChannelArm["role"], weight: number) => ({
  package: `./${version}/`,
  version,
  role,
  weight,
});

export function useChannelSite(model: "tables" | "digits"): ChannelSite {
  const root = mkdtempSync(join(tmpdir(), "insitu-channel-"));
  let count = 0;
  let release = 0;
  const site = {
    tables: (version, recipe) =>
      makeGraph(join(site.folder, version), { tables: [1], rows: 4, name: model, version, ...recipe }),
    digits(version, change = {}) {
      writeDigits(join(site.folder, version), version, change);
    },
    publish(arms, more, key) {
      release += 1;
      const text = JSON.stringify({ model, release, salt: "test", arms, ...more });
      writeFileSync(join(site.folder, "channel.json"), key ? signed(text, key) : text);
    },
    async page(visitor) {
      const { context } = site.chromium;
      const page = await (visitor ?? (await context.browser()?.newContext()) ?? context).newPage();
      await page.goto(site.server.url);
      await importLibrary(page);
      return page;
    },
  } as ChannelSite;
  beforeAll(async () => {
    site.server = await startServer({ mounts: { ...MOUNTS, "/sites/": root } });
    site.chromium = await connectChromium();
  });
  beforeEach(() => {
    count += 1;
    release = 0;
    site.folder = join(root, String(count));
    site.path = `/sites/${count}/`;
    site.server.faults.clear();
    site.server.requests.length = 0;
  });
  afterAll(async () => {
    await site.chromium.close();
    await site.server.close();
    rmSync(root, { recursive: true, force: true });
  });
  return site;
}

function signed(text: string, key: Key): string {
  const signature = key.sign(canonicalBytes(text)).toString("base64");
  return JSON.stringify({ ...JSON.parse(text), signatures: [{ keyId: key.id, algorithm: "Ed25519", signature }] });
}

function writeDigits(folder: string, version: string, { weights, file, selfTest = true, key }: DigitsChange): void {
  cpSync(DIGITS, folder, { recursive: true });
  const path = join(folder, "weights.bin");
  const bytes = readFileSync(file ?? path);
  const { weightsManifest } = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
  let offset = 0;
  for (const { name, shape, dtype } of weightsManifest[0].weights) {
    const length = shape.reduce((product: number, size: number) => product * size, 1);
    if (dtype === "float32") {
      const values = new Float32Array(
        bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + length * 4),
      );
      weights?.(values, name);
      Buffer.from(values.buffer).copy(bytes, offset);
    }
    offset += length * 4;
  }
  writeFileSync(path, bytes);
  republish(folder, (manifest) => {
    manifest.version = version;
    if (selfTest) return;
    delete manifest.selfTest;
    manifest.files = manifest.files.filter((each: { path: string }) => !each.path.startsWith("self-test"));
  });
  if (key) signPackage(folder, key);
}

// ---- in the page -------------------------------------------------------------------------------------------------

export interface Opening {
  backends?: ClientOptions["backends"];
  trust?: ClientOptions["trust"];
  channel?: ChannelOptions;
}

/** What a page knows of its rollout. */
export interface Seen {
  state: Omit<RolloutSnapshot, "problem"> & { problem?: string };
  /** All events since the model was loaded. */
  events: { type: string; detail: Record<string, unknown> }[];
}

/** Loads the model of the site's channel as the page's `window.model`. */
export function follow(page: Page, site: ChannelSite, given: Opening = {}): Promise<Seen> {
  return page
    .evaluate(
      async ({ url, backends, trust, channel = { every: 0 } }) => {
        window.client = window.insitu.createClient({ backends: backends ?? ["cpu"], trust });
        window.model = (await window.client.load(url, { channel })) as typeof window.model;
        window.rolled = [];
        for (const type of ["swap", "rollback", "problem"] as const)
          window.model.rollout?.addEventListener(type, ({ detail }) => {
            const { code, message } = (detail as { error?: { code: string; message: string } }).error ?? {};
            window.rolled.push({ type, detail: { ...detail, ...(code && { error: { code, message } }) } });
          });
        await window.model.stored;
        await window.model.tuned;
        // The events of the load are fired in the next task.
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
      { url: `${site.path}channel.json`, ...given },
    )
    .then(() => seen(page));
}

export function seen(page: Page): Promise<Seen> {
  return page.evaluate(() => {
    const state = window.model.rollout?.state();
    if (!state) throw new Error("The model has no rollout.");
    return { state: { ...state, problem: state.problem?.code }, events: window.rolled };
  });
}

export const running = async (page: Page): Promise<string> => (await seen(page)).state.running.version;

/** Waits until the version runs. */
export const untilRuns = (page: Page, version: string): Promise<void> =>
  expect.poll(() => running(page), { timeout: 60_000 }).toBe(version);

/** Predicts one after the other; returns the version of each prediction, or the code of its error. */
export function predictRows(page: Page, row: number, times: number): Promise<string[]> {
  return page.evaluate(
    async ([id, n]) => {
      const results: string[] = [];
      for (let i = 0; i < n; i += 1) {
        const one = window.model.predict(new Int32Array([id]));
        results.push(await one.then(({ model }) => model.version).catch(({ code }) => code));
      }
      return results;
    },
    [row, times] as const,
  );
}
