// What is erased stays erased: trainings, examples, imports and embeddings that began before an erase leave nothing behind.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { ROOT } from "../../../../scripts/checks/paths.js";
import { test as base, expect } from "../../../support/fixtures.js";
import type { ServerOptions } from "../../../support/server.js";
import { digits, open, state, teach } from "../../../support/teaching.js";

/** Holds `newer`, a model with another embedding: kept inputs are embedded again for it. */
const test = base
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads which fixtures it needs from the pattern.
  .extend("root", { scope: "file" }, ({}, { onCleanup }) => {
    const root = mkdtempSync(join(tmpdir(), "insitu-erase-"));
    onCleanup(() => rmSync(root, { recursive: true, force: true }));
    cpSync(join(ROOT, "models/digits/package"), root, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(root, "insitu.json"), "utf8"));
    const newer = { ...manifest, version: "2.0.0", release: 2, embedding: { node: "features3", pool: "mean" } };
    writeFileSync(join(root, "insitu.json"), JSON.stringify(newer));
    return root;
  })
  .extend("serve", { scope: "file" }, ({ root }): ServerOptions => ({ mounts: { "/models/newer/": root } }));

/** How often each erase is tried; the delays are spread over the time of what it interrupts. */
const TRIES = 20;
const LABELS = [1, 4, 7];
const some = (from: number, to: number) => LABELS.flatMap((label) => digits(label, from, to));

/** Starts what another tab, or this one, interrupts; `window.outcome` keeps how it ended. */
const begin = (on: Page, script: string) =>
  on.evaluate(`void (window.outcome = (async () => ${script})().then(
    () => "done", (error) => [error.name, error.code, error.data?.reason].join(" ")))`);
const outcome = (on: Page) => on.evaluate(() => (window as unknown as { outcome: Promise<string> }).outcome);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The number of rows of each table of a database; the database may be gone. */
const rows = (on: Page, database: string) =>
  on.evaluate(async (name) => {
    const exists = (await indexedDB.databases()).some((one) => one.name === name);
    if (!exists) return 0;
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const db = await done(indexedDB.open(name));
    let count = 0;
    for (const table of db.objectStoreNames) count += await done(db.transaction(table).objectStore(table).count());
    db.close();
    return count;
  }, database);

/** Adds the content of `window.file`, which was exported before. */
const refill = (on: Page) => on.evaluate(() => window.mine.import((window as unknown as { file: Blob }).file));
const keepFile = (on: Page) =>
  on.evaluate(async () => {
    Object.assign(window, { file: await window.mine.export() });
  });

const ERASED = "InsituError disposed forgotten";
/** What an interrupted call may say: it ended before the erase, was erased, or began after it and found nothing. */
const expectOutcome = (said: string) => expect(["done", ERASED, "InsituError input_invalid "]).toContain(said);

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/** What `forgetAtAnyMoment` does in each try. */
interface Tries {
  /** The tab that runs the call. */
  on: Page;
  call: string;
  /** How long the call takes when nothing ends it, in milliseconds. */
  whole: number;
  /** Before each try. */
  prepare?: () => Promise<unknown>;
  forget(index: number): Promise<unknown>;
  /** Expects that nothing is left; `what` names the try. */
  check(what: string): Promise<void>;
}

/** Erases at moments spread over a call. It may end before, be erased, or find nothing; in one try at least it must be erased. */
async function forgetAtAnyMoment({ on, call, whole, prepare, forget, check }: Tries): Promise<void> {
  const outcomes: string[] = [];
  for (let index = 0; index < TRIES; index += 1) {
    await prepare?.();
    await begin(on, call);
    await pause((whole * index) / TRIES);
    await forget(index);
    outcomes.push(await outcome(on));
    await check(`try ${index}: ${outcomes.at(-1)}`);
  }
  for (const said of outcomes) expectOutcome(said);
  expect(outcomes).toContain(ERASED);
}

const FORGET = {
  one: "window.mine.forget()",
  all: "window.client.personal.forget()",
};

for (const [which, forget] of Object.entries(FORGET)) {
  test(`forget (${which}) at any moment of a training leaves nothing`, async ({ page }) => {
    const store = await open(page);
    await teach(page, some(0, 20));
    await keepFile(page);
    const whole = await timeOf(() => page.evaluate(() => window.mine.train({ budget: 1_000 })));
    await page.evaluate(forget);
    await forgetAtAnyMoment({
      on: page,
      call: "window.mine.train({ budget: 1_000 })",
      whole,
      prepare: () => refill(page),
      forget: () => page.evaluate(forget),
      check: async (what) => {
        expect(await state(page), what).toMatchObject({ examples: 0, version: 0, labels: {} });
        expect(await page.evaluate(() => window.mine.versions()), what).toEqual([]);
        expect(await page.evaluate(() => window.client.personal.list()), what).toEqual([]);
        expect(await rows(page, `${store}-personal`), what).toBe(0);
      },
    });
  });

  test(`another tab forgets (${which}) at any moment of a training, and nothing is left`, async ({ page, visit }) => {
    const store = await open(page);
    const other = await visit();
    await open(other, { store });
    await teach(page, some(0, 20));
    await keepFile(page);
    const whole = await timeOf(() => page.evaluate(() => window.mine.train({ budget: 1_000 })));
    await other.evaluate(forget);
    await forgetAtAnyMoment({
      on: page,
      call: "window.mine.train({ budget: 1_000 })",
      whole,
      prepare: () => refill(page),
      forget: () => other.evaluate(forget),
      check: async (what) => {
        expect(await rows(page, `${store}-personal`), what).toBe(0);
        expect(await page.evaluate(() => window.mine.versions()), what).toEqual([]);
      },
    });
  });
}

/** Adds 30 examples at once; images too, whose pixels are read before they are sent. */
const addMany = (withImages: boolean) => `(() => {
  const canvas = new OffscreenCanvas(28, 28);
  canvas.getContext("2d").fillRect(4, 4, 9, 9);
  const added = Array.from({ length: 30 }, (_, n) =>
    window.mine.addExample(n % 2 && ${withImages} ? canvas : new Float32Array(784).fill(n / 30), "secret-" + n));
  return Promise.all(added.map((one) => one.catch((error) => { if (error.code !== "disposed") throw error; })));
})()`;

test("examples that were being added when all was forgotten are not stored", async ({ page }) => {
  const store = await open(page);
  // Nothing is awaited between the calls.
  await page.evaluate(
    `void (window.outcome = Promise.all([${addMany(true)}, window.mine.forget()]).then(() => "done", String))`,
  );
  expect(await outcome(page)).toBe("done");
  expect(await rows(page, `${store}-personal`)).toBe(0);
  for (let index = 0; index < TRIES; index += 1) {
    await begin(page, addMany(true));
    await pause(index * 3);
    await page.evaluate(() => window.mine.forget());
    expect(await outcome(page), `try ${index}`).toBe("done");
    expect(await rows(page, `${store}-personal`), `try ${index}`).toBe(0);
  }
});

test("examples that the worker was adding when another tab forgot are not stored", async ({ page, visit }) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  for (let index = 0; index < TRIES; index += 1) {
    await begin(page, addMany(false));
    // It is answered after they have begun.
    await state(page);
    await pause(index * 3);
    await other.evaluate(() => window.mine.forget());
    expect(await outcome(page), `try ${index}`).toBe("done");
    expect(await rows(page, `${store}-personal`), `try ${index}`).toBe(0);
  }
});

test("an image whose pixels are still read when all is forgotten is not stored", async ({ page }) => {
  const store = await open(page, { package: "/models/features/" });
  const said = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(2_000, 2_000);
    canvas.getContext("2d")?.fillRect(0, 0, 500, 500);
    const added = window.mine.addExample(canvas, "secret").then(
      () => "stored",
      (error) => error.code,
    );
    await window.mine.forget();
    return added;
  });
  expect(said).toBe("disposed");
  expect(await rows(page, `${store}-personal`)).toBe(0);
});

test("with several workers an erase does not overtake what was begun before it", async ({ page }) => {
  const store = `workers-${Math.random()}`;
  await page.evaluate(async (name) => {
    window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name }, pool: 2 });
    window.base = await window.client.load("/models/digits/");
    window.mine = await window.base.personalize("mine");
    // So that both workers have the model.
    await Promise.all(Array.from({ length: 20 }, () => window.base.predict(new Float32Array(784))));
  }, store);
  for (let index = 0; index < TRIES; index += 1) {
    await page.evaluate(async () => {
      const added = Array.from({ length: 20 }, (_, n) => window.mine.addExample(new Float32Array(784), `label ${n}`));
      const ended = Promise.allSettled(added);
      await window.mine.forget();
      await ended;
    });
    expect(await rows(page, `${store}-personal`), `try ${index}`).toBe(0);
  }
});

test("an import that was under way when all was forgotten stores nothing, or all of it before", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  await teach(page, some(0, 60), true);
  await page.evaluate(() => window.mine.train({ budget: 300 }));
  await keepFile(page);
  await page.evaluate(() => window.mine.forget());
  const whole = await timeOf(() => refill(page));
  await page.evaluate(() => window.mine.forget());
  await forgetAtAnyMoment({
    on: page,
    call: "window.mine.import(window.file)",
    whole,
    forget: (index) => (index % 2 ? other : page).evaluate(() => window.mine.forget()),
    check: async (what) => {
      expect(await rows(page, `${store}-personal`), what).toBe(0);
    },
  });
});

test("examples that are embedded again when all is forgotten are not stored", async ({ page, visit }) => {
  const store = await open(page);
  await teach(page, some(0, 10), true);
  await keepFile(page);
  const next = await visit();
  await open(next, { store, package: "/models/newer/" });
  const whole = await timeOf(() => next.evaluate(() => window.mine.train({ budget: 300 })));
  await page.evaluate(() => window.mine.forget());
  await forgetAtAnyMoment({
    on: next,
    call: "window.mine.train({ budget: 300 })",
    whole,
    prepare: () => refill(page),
    forget: (index) => (index % 2 ? next : page).evaluate(() => window.mine.forget()),
    check: async (what) => {
      expect(await rows(page, `${store}-personal`), what).toBe(0);
    },
  });
});

test("a class or an example that is removed during a training is in no version of it", async ({ page, visit }) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  const [first] = await teach(page, some(0, 20));
  await keepFile(page);
  const whole = await timeOf(() => page.evaluate(() => window.mine.train({ budget: 1_000 })));
  const outcomes: string[] = [];
  for (let index = 0; index < TRIES; index += 1) {
    await page.evaluate(() => window.mine.forget());
    await refill(page);
    await begin(page, "window.mine.train({ budget: 1_000 })");
    await pause((whole * index) / TRIES);
    const byId = index % 4 >= 2;
    const versionsBefore = (await page.evaluate(() => window.mine.versions())).length;
    await (index % 2 ? other : page).evaluate(
      (id) => window.mine.remove(id ?? { label: "four" }),
      byId ? first : undefined,
    );
    const said = await outcome(page);
    outcomes.push(said);
    const versions = (await page.evaluate(() => window.mine.versions())).slice(versionsBefore);
    // A version that was committed after the removal knows nothing of it; one before it is as it was.
    if (said === "done" && !byId && versions.length > 0)
      expect(await page.evaluate(() => window.mine.examples().then((all) => all.length))).toBe(40);
    if (said !== "done") expect(versions, `try ${index}`).toEqual([]);
  }
  expect(outcomes).toContain("InsituError disposed removed");
  for (const said of outcomes) expect(["done", "InsituError disposed removed"]).toContain(said);
});

test("an example of a class that is removed while it is added is not stored, and neither is an import", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  await teach(page, some(0, 30), true);
  await keepFile(page);
  const whole = await timeOf(() => refill(page));
  for (let index = 0; index < TRIES; index += 1) {
    await begin(
      page,
      `Promise.all([
        window.mine.import(window.file),
        ...Array.from({ length: 10 }, (_, n) => window.mine.addExample(new Float32Array(784).fill(n / 10), "four")),
      ].map((one) => one.catch((error) => { if (error.code !== "disposed") throw error; })))`,
    );
    // It is answered after they have begun in the worker, which is what counts for another tab.
    await page.evaluate(() => window.mine.kept("none"));
    await pause((whole * index) / TRIES);
    await (index % 2 ? other : page).evaluate(() => window.mine.remove({ label: "four" }));
    expect(await outcome(page), `try ${index}`).toBe("done");
    expect((await state(page)).labels, `try ${index}`).not.toHaveProperty("four");
  }
});

test("after an erase the next example begins anew, in both tabs", async ({ page, visit }) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  await teach(page, digits(1, 0, 3));
  await teach(other, digits(1, 3, 5));
  await page.evaluate(() => window.mine.forget());
  await teach(other, digits(7, 0, 2));
  await teach(page, digits(4, 0, 2));
  expect(await state(page)).toMatchObject({ labels: { seven: 2, four: 2 }, examples: 4 });
  expect((await other.evaluate(() => window.mine.train())).labels.sort()).toEqual(["four", "seven"]);
});

/** Rows of the model in the monitor's table, as it is on the disk. */
const outcomesHeld = (page: Page, store: string) =>
  page.evaluate(async (name) => {
    const request = indexedDB.open(`${name}-monitor`);
    await new Promise((done) => request.addEventListener("success", done));
    const all = request.result.transaction("rows").objectStore("rows").getAll();
    await new Promise((done) => all.addEventListener("success", done));
    request.result.close();
    return all.result.filter(({ model }: { model: string }) => model === "digits/mine").length;
  }, store);

const BLANK = "new Float32Array(784).fill(0.5)";

test("what a tab predicted before another one forgot is in no table of the monitor", async ({ page, visit }) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  await teach(page, some(0, 2));
  await page.evaluate(`window.mine.predict(${BLANK})`);
  await expect.poll(() => outcomesHeld(page, store)).toBe(1);
  for (const eraser of [other, page]) {
    await teach(page, some(0, 2));
    // One that is still open, and one whose outcome is written a second later.
    await page.evaluate(`window.mine.predict(${BLANK})`);
    await page.evaluate(`void (window.outcome = window.mine.predict(${BLANK}).then(() => "done", () => "failed"))`);
    await eraser.evaluate(() => window.mine.forget());
    await outcome(page);
    // Outcomes are written in batches, once a second.
    await pause(2_000);
    expect(await outcomesHeld(page, store)).toBe(0);
    expect((await page.evaluate(() => window.mine.monitor.snapshot())).versions).toEqual([]);
  }
});

test("a tab that hears late of an erase takes back what it wrote since", async ({ page, visit }) => {
  const other = await visit();
  // A busy tab: what others tell it arrives seconds later.
  await page.evaluate(() => {
    window.BroadcastChannel = class extends BroadcastChannel {
      override set onmessage(listen: ((event: MessageEvent) => void) | null) {
        super.onmessage = (event) => void setTimeout(() => listen?.(event), 3_000);
      }
    };
  });
  const store = await open(page);
  await open(other, { store });
  await teach(page, some(0, 2));
  await page.evaluate(`window.mine.predict(${BLANK})`);
  await other.evaluate(() => window.mine.forget());
  await expect.poll(() => outcomesHeld(page, store)).toBe(1);
  await expect.poll(() => outcomesHeld(page, store)).toBe(0);
  expect((await page.evaluate(() => window.mine.monitor.snapshot())).versions).toEqual([]);
});
