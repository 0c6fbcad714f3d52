// From one release to the next: who gets it when, what of the old one stays, and what runs when the new one cannot.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph, type Recipe, republish } from "../../../support/graphs.js";

const graph = (tables: number[]): Recipe => ({ tables, rows: 16, files: "apart" });
const ONE = graph([1, 2, 3]);
const TWO = graph([1, 9, 3]);
const THREE = graph([1, 9, 7]);
const answer = (recipe: Recipe) => answerOf(recipe, 3).map((value) => expect.closeTo(value, 5));

const delivery = useDelivery();
beforeEach(() => publish(ONE, 1));

/** Puts a release in the place of what the host has; version and release are one number. */
async function publish(recipe: Recipe, release: number): Promise<void> {
  await makeGraph(delivery.folder, { ...recipe, version: `${release}.0.0`, release });
}

/** The next release asks for an op that no backend has. */
async function publishBroken(release: number): Promise<void> {
  await publish(TWO, release);
  republish(delivery.folder, (_, model) => {
    model.modelTopology.node.find(({ name }: { name: string }) => name === "sum").op = "NotYetInvented";
  });
}

/** Hashes of all files that the host's manifest lists. */
function published(): string[] {
  const { files } = JSON.parse(readFileSync(join(delivery.folder, "insitu.json"), "utf8"));
  return files.map(({ sha256 }: { sha256: string }) => sha256).sort();
}
const asked = () => delivery.asked().map(({ url }) => url.slice(delivery.path.length));

describe("a newer release", () => {
  beforeEach(async () => {
    await delivery.load();
    await publish(TWO, 2);
    delivery.heal();
  });

  test("is not looked for unless it is asked for", async () => {
    expect(await delivery.load()).toMatchObject({ source: "cache", version: "1.0.0", answer: answer(ONE) });
    expect(asked()).toEqual([]);
  });

  test("brings only what changed, and what only the old one had is gone", async () => {
    const loaded = await delivery.load({ refresh: true });
    expect(loaded).toMatchObject({ source: "network", version: "2.0.0", answer: answer(TWO), fellBackFrom: undefined });
    expect(asked()).toEqual(["insitu.json", "table_1.bin"]);
    const { chunks, versions, pending } = await delivery.stored();
    expect({ versions, pending }).toEqual({ versions: ["2.0.0"], pending: 0 });
    expect(chunks.sort()).toEqual(published());
    delivery.heal();
    expect(await delivery.load()).toMatchObject({ source: "cache", version: "2.0.0", answer: answer(TWO) });
    expect(asked()).toEqual([]);
  });

  test("that is there already costs one request", async () => {
    await delivery.load({ refresh: true });
    delivery.heal();
    expect(await delivery.load({ refresh: true })).toMatchObject({ source: "cache", version: "2.0.0" });
    expect(asked()).toEqual(["insitu.json"]);
  });

  test("runs beside the old one until that is disposed", async () => {
    delivery.heal();
    const result = await delivery.library.page.evaluate(
      async ({ url, store }) => {
        const client = window.insitu.createClient({ backends: ["cpu"], storage: { name: store } });
        const old = await client.load(url, { task: "raw" });
        const next = await client.load(url, { task: "raw", refresh: true });
        const again = await client.load(url, { task: "raw" });
        const ask = async (model: typeof old) => {
          const { value, model: ran } = await model.predict(new Int32Array([3]));
          return [ran.version, ...Array.from(Object.values(value)[0]?.data.slice(0, 3) ?? [])];
        };
        const answers = [await ask(old), await ask(next), await ask(again), await ask(old)];
        await old.dispose();
        answers.push(await ask(next));
        await client.dispose();
        return answers;
      },
      { url: delivery.path, store: delivery.store },
    );
    const [one, two] = [
      ["1.0.0", ...answer(ONE)],
      ["2.0.0", ...answer(TWO)],
    ];
    expect(result).toEqual([one, two, two, one, two]);
  });

  test("is taken by the next load when its download broke off, and the old one runs until then", async () => {
    delivery.fail("table_1.bin", { kind: "status", status: 404 });
    expect(await delivery.load({ refresh: true })).toMatchObject({ code: "http_4xx" });
    expect(await delivery.load()).toMatchObject({ source: "cache", version: "1.0.0", answer: answer(ONE) });
    delivery.heal();
    expect(await delivery.load({ refresh: true })).toMatchObject({ version: "2.0.0", answer: answer(TWO) });
  });
});

describe("a host that cannot be reached when a newer release is asked for", () => {
  beforeEach(async () => {
    await delivery.load();
    await publish(TWO, 2);
  });

  test.each([
    ["hangs up", { kind: "cut", bytes: 0 }],
    ["has trouble", { kind: "status", status: 503 }],
  ] as const)("and %s: the stored one runs", async (_name, fault) => {
    delivery.fail("insitu.json", fault);
    const { ms, ...loaded } = await delivery.load({ refresh: true });
    expect(loaded).toMatchObject({ code: "", source: "cache", version: "1.0.0", answer: answer(ONE) });
    expect(ms).toBeLessThan(10_000);
  });

  test("halfway: the stored one runs, whole", async () => {
    delivery.fail("table_1.bin", { kind: "cut", bytes: 1000 });
    expect(await delivery.load({ refresh: true })).toMatchObject({
      source: "cache",
      version: "1.0.0",
      answer: answer(ONE),
    });
  });
});

describe("a release that no backend can run", () => {
  const fellBackFrom = { version: "2.0.0", release: 2, reason: expect.stringContaining("NotYetInvented") };

  test("leaves the one before running, now and at the next visit, and makes way for the next", async () => {
    await delivery.load();
    await publishBroken(2);
    const fallen = await delivery.load({ refresh: true });
    expect(fallen).toMatchObject({ code: "", source: "cache", version: "1.0.0", answer: answer(ONE), fellBackFrom });
    delivery.heal();
    expect(await delivery.load()).toMatchObject({ version: "1.0.0", answer: answer(ONE), fellBackFrom });
    expect(asked()).toEqual([]);
    expect((await delivery.stored()).versions).toEqual(["1.0.0", "2.0.0"]);

    await publish(THREE, 3);
    const next = await delivery.load({ refresh: true });
    expect(next).toMatchObject({ code: "", version: "3.0.0", answer: answer(THREE), fellBackFrom: undefined });
    expect(asked()).toEqual(["insitu.json", "table_2.bin"]);
    expect(await delivery.stored()).toMatchObject({ versions: ["3.0.0"] });
    expect((await delivery.stored()).chunks.sort()).toEqual(published());
  });

  test("is reported also where the previous version runs already", async () => {
    const load = (refresh: boolean) =>
      delivery.library.page.evaluate(
        async ({ url, store, refresh }) => {
          const page = window as unknown as { client?: ReturnType<typeof window.insitu.createClient> };
          page.client ??= window.insitu.createClient({ backends: ["cpu"], storage: { name: store } });
          const { version, fellBackFrom } = (await page.client.load(url, { refresh })).info;
          return { version, fellBackFrom };
        },
        { url: delivery.path, store: delivery.store, refresh },
      );
    expect(await load(false)).toEqual({ version: "1.0.0" });
    await publishBroken(2);
    expect(await load(true)).toEqual({ version: "1.0.0", fellBackFrom });
  });

  test("is an error where there is none before it", async () => {
    await publishBroken(2);
    expect(await delivery.load()).toMatchObject({
      code: "backend_unavailable",
      message: expect.stringContaining("NotYetInvented"),
    });
    await publish(THREE, 3);
    expect(await delivery.load({ refresh: true })).toMatchObject({ code: "", version: "3.0.0", answer: answer(THREE) });
  });
});

test("two tabs that load at once download the package once", async () => {
  const tab = await delivery.tab();
  const loads = await Promise.all([delivery.load(), delivery.load({ page: tab })]);
  expect(loads).toMatchObject([
    { code: "", answer: answer(ONE) },
    { code: "", answer: answer(ONE) },
  ]);
  expect(loads.map(({ source }) => source).sort()).toEqual(["cache", "network"]);
  expect(asked().sort()).toEqual([
    "axis.bin",
    "insitu.json",
    "model.json",
    "table_0.bin",
    "table_1.bin",
    "table_2.bin",
  ]);
  await tab.close();
});

test("a tab that waits for another one's download takes over when that tab is closed", async () => {
  delivery.fail("table_1.bin", [{ kind: "stall", bytes: 1000 }]);
  const tab = await delivery.tab();
  const lost = delivery.load({ page: tab }).catch(() => "closed");
  await expect.poll(async () => (await delivery.stored()).chunks.length).toBe(4);
  const waiting = delivery.load();
  await tab.close();
  expect(await lost).toBe("closed");
  expect(await waiting).toMatchObject({ code: "", source: "network", answer: answer(ONE) });
  expect(asked().filter((file) => file === "table_0.bin")).toHaveLength(1);
  expect(asked().filter((file) => file === "table_1.bin")).toHaveLength(2);
});
