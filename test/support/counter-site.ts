// A site with a channel of tiny packages: a version's predictions say which version computed them, and for which input.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { ClientOptions, LoadOptions, Model } from "../../src/index.js";
import type { Channel, ChannelArm } from "../../src/shared/types/rollout.js";
import { input, ints, node, weight } from "./handmade.js";
import { packHandmade } from "./handmade-package.js";
import { newVisitor } from "./loads.js";
import { importLibrary, type LibraryPage } from "./page.js";
import type { LoggedRequest, ServerOptions } from "./server.js";
import { openSharedLibrary } from "./shared-browser.js";
import { GOOD_MANNERS } from "./static.js";

/** The prediction of version `v` for `x` is `x + v * STEP`, exactly. */
export const STEP = 16_384;

export interface VersionRecipe {
  name?: string;
  /** Bytes of further weights, for packages that need room. */
  padding?: number;
}

/** Writes a package whose version is `number.0.0` into `folder`, in place of what is there. */
export async function packVersion(folder: string, number: number, recipe: VersionRecipe = {}): Promise<void> {
  const { name = "counter", padding = 4 } = recipe;
  const rows = padding / 4;
  const parts = [
    input("x", [-1, 1]),
    weight("v", [1, 1], [number * STEP]),
    node("sum", "AddV2", ["x", "v"]),
    weight("padding", [rows, 1], noise(rows, number)),
    ints("first", 0),
    weight("axis", [], [0], "int32"),
    // The first row, which is 0.
    node("nothing", "GatherV2", ["padding", "first", "axis"]),
    node("y", "AddV2", ["sum", "nothing"]),
  ];
  rmSync(folder, { recursive: true, force: true });
  await packHandmade(folder, { parts, inputs: ["x"], outputs: ["y"], name });
  const path = join(folder, "insitu.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...manifest, version: `${number}.0.0`, release: number }));
}

/** Does not compress, and is another one for each version; the first is 0. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, (_, index) => {
    if (index === 0) return 0;
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  });
}

/** The arm of version `number.0.0`. */
export const arm = (number: number, weight = 100, role: ChannelArm["role"] = "stable"): ChannelArm => ({
  package: `./${number}.0.0/`,
  weight,
  role,
});

export interface CounterSite {
  library: LibraryPage;
  /** The visitor of the test: new in each, with an empty store. */
  visitor: BrowserContext;
  page: Page;
  /** What is written here is served as `/site/`. */
  folder: string;
  /** Writes `/site/objects.json`. */
  publish(arms: ChannelArm[], release: number, more?: Partial<Channel>): void;
  /** Writes any text as the channel. */
  publishText(text: string): void;
  pack(number: number, recipe?: VersionRecipe): Promise<void>;
  /** The weights of version `number.0.0` never come, from now on; what it returns waits until they were requested. */
  hang(number: number): () => Promise<void>;
  /** What hangs is cut, and the next request is answered. */
  endHangs(): void;
  /** Another tab of the same visitor. */
  tab(): Promise<Page>;
  /** Requests for the channel, oldest first. */
  asked(): LoggedRequest[];
  goOffline(offline: boolean): Promise<void>;
}

export const CHANNEL = "/site/objects.json";

/** Each test has a folder and a visitor of its own. */
export function useCounterSite(serve: ServerOptions = {}): CounterSite {
  const root = mkdtempSync(join(tmpdir(), "insitu-channel-"));
  const site = {
    folder: join(root, "site"),
    publish: (arms, release, more = {}) =>
      site.publishText(JSON.stringify({ model: "counter", release, salt: "s", arms, ...more })),
    publishText: (text) => writeFileSync(join(site.folder, "objects.json"), text),
    pack: (number, recipe) => packVersion(join(site.folder, `${number}.0.0`), number, recipe),
    hang(number) {
      const path = `/site/${number}.0.0/weights.bin`;
      site.library.server.faults.set(path, { kind: "stall" });
      return () => expect.poll(() => site.library.server.requests.some(({ url }) => url === path)).toBe(true);
    },
    endHangs() {
      site.library.server.faults.clear();
      site.library.server.hangUp();
    },
    async tab() {
      const page = await site.visitor.newPage();
      await page.goto(site.library.server.url);
      await importLibrary(page);
      return page;
    },
    asked: () => site.library.server.requests.filter(({ url }) => url.startsWith(CHANNEL)),
    goOffline: (offline) => site.visitor.setOffline(offline),
  } as CounterSite;
  beforeAll(async () => {
    site.library = await openSharedLibrary({
      // The library's own files come from the HTTP cache, also without a network.
      headers: { "Cache-Control": "max-age=600" },
      ...serve,
      mounts: { "/site/": site.folder, ...serve.mounts },
    });
  });
  afterAll(async () => {
    await site.library?.close();
    rmSync(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    rmSync(site.folder, { recursive: true, force: true });
    mkdirSync(site.folder);
    const { server, chromium } = site.library;
    server.faults.clear();
    Object.assign(server.manners, GOOD_MANNERS);
    server.requests.length = 0;
    site.visitor = await newVisitor(chromium);
    site.page = await site.tab();
  });
  afterEach(() => site.visitor.close());
  return site;
}

/** What a model on a channel is, as plain data. */
export interface Loaded {
  code: string;
  message: string;
  version?: string;
  arm?: string;
  release?: number;
  /** The version that computed a prediction. */
  computed?: number;
}

export interface Opening {
  url?: string;
  client?: ClientOptions;
  load?: LoadOptions;
}

/** Loads the channel as `window.model`, with what its events said in `window.told`. */
export function openModel(page: Page, opening: Opening = {}): Promise<Loaded> {
  return page.evaluate(
    async ({ url, client, load, step }) => {
      window.told = [];
      window.client ??= window.insitu.createClient({ backends: ["cpu"], ...client });
      try {
        const model = (await window.client.load(url, load)) as Model;
        window.counter = model;
        const { rollout } = model;
        rollout?.addEventListener("swap", ({ detail: { from, to, reason } }) =>
          window.told.push(`swap ${from.version} ${to.version} ${reason}`),
        );
        rollout?.addEventListener("rollback", ({ detail: { from, to, reason } }) =>
          window.told.push(`rollback ${from.version} ${to.version} ${reason}`),
        );
        rollout?.addEventListener("problem", ({ detail: { error, stage, version } }) =>
          window.told.push(`problem ${[stage, error.code, version].filter(Boolean).join(" ")}`),
        );
        const { outputs } = await model.predict(Float32Array.of(1));
        const computed = (Number(outputs.y?.data[0]) - 1) / step;
        const { version, arm, release } = rollout ?? {};
        return { code: "", message: "", version, arm, release, computed };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { code, message };
      }
    },
    { url: CHANNEL, client: {}, load: {}, ...opening, step: STEP },
  );
}

/** The version that computes a prediction of `window.counter` now, and the one that the prediction names. */
export function predictOn(page: Page): Promise<{ computed: number; named: string; arm?: string }> {
  return page.evaluate(async (step) => {
    const { outputs, model } = await window.counter.predict(Float32Array.of(1));
    return { computed: (Number(outputs.y?.data[0]) - 1) / step, named: model.version, arm: model.arm };
  }, STEP);
}

export const toldOn = (page: Page): Promise<string[]> => page.evaluate(() => window.told);
export const checkOn = (page: Page): Promise<void> => page.evaluate(() => window.counter.rollout?.check());
