// Replayed, frozen, skipped and mixed releases are refused; a deliberate rollback is not.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph, type Recipe, republish } from "../../../support/graphs.js";
import { newKey, signPackage, trusting } from "../../../support/keys.js";

const KEY = newKey("prod-1");
const trust = trusting([KEY]);
const graph = (tables: number[]): Recipe => ({ tables, rows: 16, files: "apart" });
const ONE = graph([1, 2, 3]);
const TWO = graph([1, 9, 3]);
const answer = (recipe: Recipe) => answerOf(recipe, 3).map((value) => expect.closeTo(value, 5));

/** Its clock is ten years ahead. */
const LATE = `
  const now = Date.now;
  Date.now = () => now() + 10 * 365 * 24 * 3600 * 1000;
  await import("/dist/worker.js");`;
const later = { worker: "/late.js" };

const delivery = useDelivery({
  headers: { "Cache-Control": "max-age=600" },
  routes: [
    (req, res) => {
      if (req.url !== later.worker) return false;
      res.writeHead(200, { "Content-Type": "text/javascript" }).end(LATE);
      return true;
    },
  ],
});
beforeEach(() => publish(ONE, { version: "1.0.0", release: 1 }));

/** Puts a signed release in the place of what the host has. */
async function publish(recipe: Recipe, about: { version: string; release: number; name?: string; expires?: string }) {
  await makeGraph(delivery.folder, { ...recipe, ...about });
  if (about.expires) republish(delivery.folder, (manifest) => void Object.assign(manifest, { expires: about.expires }));
  signPackage(delivery.folder, KEY);
}
const load = (options: Parameters<typeof delivery.load>[0] = {}) => delivery.load({ trust, ...options });
const weights = () => delivery.asked("table_").map(({ url }) => url.slice(delivery.path.length));

describe("an old release that is played again", () => {
  let old: string;
  beforeEach(async () => {
    old = readFileSync(join(delivery.folder, "insitu.json"), "utf8");
    await publish(TWO, { version: "2.0.0", release: 2 });
    expect(await load()).toMatchObject({ code: "", version: "2.0.0" });
    delivery.fail("insitu.json", { kind: "replace", body: old });
  });

  test("is refused, and the newer one goes on running", async () => {
    const replayed = await load({ refresh: true });
    expect(replayed).toMatchObject({ code: "model_rollback", data: { release: 1, accepted: 2 } });
    expect(await load()).toMatchObject({ code: "", version: "2.0.0", answer: answer(TWO) });
  });

  test.each(["delete", "clear"] as const)("is refused also after store.%s", async (how) => {
    const left = await delivery.library.page.evaluate(
      async ({ how, path, store }) => {
        const client = window.insitu.createClient({ storage: { name: store } });
        await (how === "clear" ? client.store.clear() : client.store.delete(path));
        const { length } = await client.store.list();
        await client.dispose();
        return length;
      },
      { how, path: delivery.path, store: delivery.store },
    );
    expect(left).toBe(0);
    expect(await load()).toMatchObject({ code: "model_rollback" });
    delivery.heal();
    expect(await load()).toMatchObject({ code: "", source: "network", version: "2.0.0" });
  });

  test("is accepted under a higher number, and only what the newer one had changed comes again", async () => {
    delivery.heal();
    await publish(ONE, { version: "1.0.0", release: 3 });
    expect(await load({ refresh: true })).toMatchObject({ code: "", version: "1.0.0", answer: answer(ONE) });
    expect(weights()).toEqual(["table_1.bin"]);
  });
});

test("a release that only says something else of the same weights downloads none of them", async () => {
  await load();
  await publish(ONE, { version: "1.0.1", release: 2 });
  delivery.heal();
  expect(await load({ refresh: true })).toMatchObject({
    code: "",
    source: "network",
    version: "1.0.1",
    answer: answer(ONE),
  });
  expect(delivery.asked().map(({ url }) => url)).toEqual([`${delivery.path}insitu.json`]);
});

describe("a release that has expired", () => {
  const expires = new Date(Date.now() + 24 * 3600 * 1000).toISOString();

  test("is refused before any of its files is asked for", async () => {
    await publish(ONE, { version: "1.0.0", release: 1, expires });
    const { code, data } = await load(later);
    expect([code, data.expires]).toEqual(["model_expired", expires]);
    expect(delivery.asked()).toHaveLength(1);
    expect(await load()).toMatchObject({ code: "" });
  });

  describe("in the store", () => {
    beforeEach(async () => {
      await publish(ONE, { version: "1.0.0", release: 1, expires });
      expect(await load()).toMatchObject({ code: "" });
      delivery.heal();
    });

    test("makes way for the host's newer one", async () => {
      await publish(TWO, { version: "2.0.0", release: 2, expires: "2999-01-01" });
      const renewed = await load(later);
      expect(renewed).toMatchObject({ code: "", version: "2.0.0", answer: answer(TWO) });
      expect(renewed.events).toMatchObject([{ type: "miss", reason: expect.stringContaining("expired on") }]);
      expect(weights()).toEqual(["table_1.bin"]);
    });

    test("does not run when the host still serves it", async () => {
      expect(await load(later)).toMatchObject({ code: "model_expired" });
    });

    test.each([false, true])(
      "does not run without a network (refresh: %s), and the reason is told",
      async (refresh) => {
        await delivery.library.visit();
        expect((await load({ ...later, refresh })).code).toBe("model_expired");
        await delivery.library.chromium.context.setOffline(true);
        expect(await load({ refresh })).toMatchObject({ code: "", source: "cache" });
        expect(await load({ ...later, refresh })).toMatchObject({ code: "model_expired", cause: "network" });
      },
    );
  });
});

describe("a release number", () => {
  test("may jump to that of a date", async () => {
    await load();
    await publish(TWO, { version: "2.0.0", release: 20_260_131 });
    expect(await load({ refresh: true })).toMatchObject({ code: "", version: "2.0.0" });
  });

  test("may not jump so far that no later one is left", async () => {
    await load();
    await publish(TWO, { version: "2.0.0", release: Number.MAX_SAFE_INTEGER });
    expect(await load({ refresh: true })).toMatchObject({ code: "model_rollback" });
    await publish(TWO, { version: "2.0.0", release: 2 });
    expect(await load({ refresh: true })).toMatchObject({ code: "", version: "2.0.0" });
  });

  test("that was published twice gives the files that were published last", async () => {
    await load();
    await publish(TWO, { version: "1.0.1", release: 1 });
    expect(await load({ refresh: true })).toMatchObject({ code: "", version: "1.0.1", answer: answer(TWO) });
    expect(await load()).toMatchObject({ source: "cache", version: "1.0.1", answer: answer(TWO) });
    await publish(ONE, { version: "1.0.2", release: 1 });
    expect(await load({ refresh: true })).toMatchObject({ code: "", version: "1.0.2", answer: answer(ONE) });
    expect(await load()).toMatchObject({ source: "cache", version: "1.0.2", answer: answer(ONE) });
  });
});

test("another model at the same address is refused, and the one before goes on running", async () => {
  await load();
  await publish(TWO, { version: "2.0.0", release: 2, name: "other" });
  expect(await load({ refresh: true })).toMatchObject({
    code: "model_integrity",
    data: { expected: "tables", actual: "other" },
  });
  expect(await load()).toMatchObject({ code: "", version: "1.0.0" });
});

test("a file of one release under the manifest of the next is refused, and the one before goes on running", async () => {
  await load();
  const old = readFileSync(join(delivery.folder, "table_1.bin"));
  await publish(TWO, { version: "2.0.0", release: 2 });
  writeFileSync(join(delivery.folder, "table_1.bin"), old);
  expect(await load({ refresh: true })).toMatchObject({ code: "model_integrity", data: { chunk: 0 } });
  expect(await load()).toMatchObject({ code: "", source: "cache", version: "1.0.0", answer: answer(ONE) });
  await publish(TWO, { version: "2.0.0", release: 2 });
  expect(await load({ refresh: true })).toMatchObject({ code: "", version: "2.0.0", answer: answer(TWO) });
});
