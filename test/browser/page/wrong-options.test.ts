// Calls with options and arguments of a wrong type or value: each gets a typed error that names the option, and the next call works.
import { expect, test } from "../../support/fixtures.js";

/** Runs `code` with `insitu`, `client`, `model`, `image` and `mine`; resolves with the error's code and option. */
const CALLS: [what: string, code: string, error: { code: string; option?: string } | undefined][] = [
  ["null for options of createClient", "insitu.createClient(null).load(url)", undefined],
  ["backends that are a string", "insitu.createClient({ backends: 'wasm' })", { code: "input_invalid", option: "backends" }],
  ["an unknown backend", "insitu.createClient({ backends: ['webgl'] })", { code: "input_invalid", option: "backends" }],
  ["storage that is null", "insitu.createClient({ storage: null }).load(url)", undefined],
  ["null for options of load", "client.load(url, null)", undefined],
  ["no URL", "client.load()", { code: "input_invalid" }],
  ["null as URL", "client.load(null)", { code: "input_invalid" }],
  ["an empty URL", "client.load('')", { code: "input_invalid" }],
  ["an object as URL", "client.load({})", { code: "input_invalid" }],
  ["request that is null", "client.load(url, { request: null })", undefined],
  ["batching that is null", "client.load(url, { batching: null })", undefined],
  ["a string as signal of load", "client.load(url, { signal: 'now' })", { code: "input_invalid", option: "signal" }],
  ["null for options of predict", "model.predict(image, null)", undefined],
  ["null as signal", "model.predict(image, { signal: null })", undefined],
  ["a number as signal", "model.predict(image, { signal: 5 })", { code: "input_invalid", option: "signal" }],
  ["a string as timeout", "model.predict(image, { timeout: 'soon' })", { code: "input_invalid", option: "timeout" }],
  ["an unknown priority", "model.predict(image, { priority: 'urgent' })", { code: "input_invalid", option: "priority" }],
  ["a function as priority", "model.predict(image, { priority: () => 1 })", { code: "input_invalid" }],
  ["a BigInt as priority", "model.predict(image, { priority: 1n })", { code: "input_invalid", option: "priority" }],
  ["a function as top", "model.predict(image, { top: () => 1 })", { code: "input_invalid" }],
  ["null for options of predictAll", "one(model.predictAll([image], null))", undefined],
  ["a string as inputs", "one(model.predictAll('abc'))", { code: "input_invalid" }],
  ["a string as signal of predictAll", "one(model.predictAll([image], { signal: 'now' }))", { code: "input_invalid", option: "signal" }],
  ["half a batch", "one(model.predictAll([image], { batchSize: 0.5 }))", { code: "input_invalid", option: "batchSize" }],
  ["null for options of watch", "model.watch(document.createElement('canvas'), null)", undefined],
  ["an interval of 0", "model.watch(document.createElement('canvas'), { every: 0 })", { code: "input_invalid", option: "every" }],
  ["a string as signal of watch", "one(model.watch(document.createElement('canvas'), { signal: 'now' }))", { code: "input_invalid", option: "signal" }],
  ["null for options of personalize", "model.personalize('other', null)", undefined],
  ["triggers that are null", "model.personalize('third', { triggers: null })", undefined],
  ["no name", "model.personalize()", { code: "input_invalid" }],
  ["null for options of addExample", "mine.addExample(image, 'a', null)", undefined],
  ["a string as keep", "mine.addExample(image, 'a', { keep: 'yes' })", { code: "input_invalid", option: "keep" }],
  ["a string as budget", "mine.train({ budget: 'short' })", { code: "input_invalid" }],
  ["nothing to remove", "mine.remove()", { code: "input_invalid" }],
  ["a string as version", "mine.revert('1')", { code: "input_invalid", option: "version" }],
  ["null for options of export", "mine.export(null)", undefined],
  ["a promise of a worker", "insitu.createClient({ worker: async () => new Worker('/dist/worker.js', { type: 'module' }) }).load(url)", { code: "input_invalid" }],
  ["no worker", "insitu.createClient({ worker: () => undefined }).load(url)", { code: "input_invalid" }],
  ["a worker's address that is none", "insitu.createClient({ worker: 'http://:bad' }).load(url)", { code: "input_invalid", option: "worker" }],
  ["personalize after dispose", "gone.personalize('x')", { code: "disposed" }],
]; // biome-ignore format: one call per line

test("a wrong option is a typed error that names it, null is none, and nothing is left uncaught", async ({ page }) => {
  const uncaught: string[] = [];
  page.on("pageerror", ({ message }) => uncaught.push(message));
  const outcomes = await page.evaluate(async (calls) => {
    const { insitu } = window;
    const url = "/models/digits/";
    const client = insitu.createClient({ backends: ["wasm"] });
    const model = await client.load(url);
    const gone = await client.load(url);
    await gone.dispose();
    const mine = await model.personalize("mine");
    const image = new Float32Array(784);
    const one = (all: AsyncIterable<unknown>) => all[Symbol.asyncIterator]().next();
    const names = { insitu, url, client, model, gone, mine, image, one };
    const run = async (code: string) => {
      const call = new Function(...Object.keys(names), `return (async () => ${code})()`);
      const timeout = new Promise((_, reject) => setTimeout(() => reject({ code: "hangs" }), 20_000));
      try {
        await Promise.race([call(...Object.values(names)), timeout]);
        return undefined;
      } catch (error) {
        const { code, data, name } = error as { code?: string; data?: { option?: string }; name?: string };
        return { code: code ?? name, option: data?.option };
      }
    };
    const found: Record<string, unknown> = {};
    for (const [what, code] of calls) found[what] = await run(code);
    const { value } = await model.predict(image);
    return { found, works: Array.isArray(value) };
  }, CALLS);
  for (const [what, , error] of CALLS) {
    if (error) expect(outcomes.found[what], what).toMatchObject(error);
    else expect(outcomes.found[what], what).toBeUndefined();
  }
  expect(outcomes.works).toBe(true);
  expect(uncaught).toEqual([]);
});

test("a listener that throws is reported as uncaught, and the call goes on", async ({ page }) => {
  const uncaught: string[] = [];
  page.on("pageerror", ({ message }) => uncaught.push(message));
  const done = await page.evaluate(async () => {
    const onProgress = () => {
      throw new Error("the page's own mistake");
    };
    const client = window.insitu.createClient({ backends: ["wasm"] });
    const model = await client.load("/models/digits/", { onProgress });
    let count = 0;
    for await (const { value } of model.predictAll([new Float32Array(784)], { onProgress })) count += value ? 1 : 0;
    const mine = await model.personalize("mine");
    for (const label of ["a", "b"]) await mine.addExample(new Float32Array(784).fill(label === "a" ? 1 : 0), label);
    const { version } = await mine.train({ onProgress });
    // Not a function at all.
    const again = await client.load("/models/digits/", { onProgress: 5 as unknown as undefined });
    return [count, version, again.info.name];
  });
  expect(done).toEqual([1, 1, "digits"]);
  expect(uncaught).toContain("the page's own mistake");
});

test("a password in an address is refused, and not told", async ({ page }) => {
  const error = await page.evaluate(async () => {
    const client = window.insitu.createClient();
    return client
      .load("https://user:secret@models.example/x/")
      .catch(({ code, message, data }) => ({ code, message, data }));
  });
  expect(error).toMatchObject({ code: "input_invalid" });
  expect(JSON.stringify(error)).not.toContain("secret");
});
