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
  ["a number as worker", "insitu.createClient({ worker: 5 }).load(url)", { code: "input_invalid", option: "worker" }],
  ["a number as telemetry", "insitu.createClient({ telemetry: 5 })", { code: "input_invalid", option: "telemetry" }],
  ["a string as storage", "insitu.createClient({ storage: 'x' })", { code: "input_invalid", option: "storage" }],
  ["a number as the storage's name", "insitu.createClient({ storage: { name: 5 } })", { code: "input_invalid", option: "storage.name" }],
  ["a string as assets", "insitu.createClient({ assets: '/wasm/' })", { code: "input_invalid", option: "assets" }],
  ["a number as assets.wasm", "insitu.createClient({ assets: { wasm: 5 } })", { code: "input_invalid", option: "assets.wasm" }],
  ["assets that are null", "insitu.createClient({ assets: null }).load(url)", undefined],
  ["a wrong consent of personalization", "insitu.createClient({ personalization: { consent: 'yes' } })", { code: "input_invalid", option: "consent" }],
  ["a wrong consent of telemetry", "client.telemetry.setConsent('yes')", { code: "input_invalid", option: "consent" }],
  ["no consent of telemetry", "client.telemetry.setConsent()", { code: "input_invalid", option: "consent" }],
  ["a wrong consent of personal", "client.personal.setConsent('pending')", { code: "input_invalid", option: "consent" }],
  ["a number as request", "client.load(url, { request: 5 })", { code: "input_invalid", option: "request" }],
  ["a number as batching", "client.load(url, { batching: 5 })", { code: "input_invalid", option: "batching" }],
  ["a number as onProgress of load", "client.load(url, { onProgress: 5 })", { code: "input_invalid", option: "onProgress" }],
  ["a number as onProgress of predictAll", "one(model.predictAll([image], { onProgress: 5 }))", { code: "input_invalid", option: "onProgress" }],
  ["a number as onProgress of train", "mine.train({ onProgress: 5 })", { code: "input_invalid", option: "onProgress" }],
  ["a budget of 0", "mine.train({ budget: 0 })", { code: "input_invalid", option: "budget" }],
  ["a budget that is no number", "mine.train({ budget: NaN })", { code: "input_invalid", option: "budget" }],
  ["triggers that are a number", "model.personalize('fourth', { triggers: 5 })", { code: "input_invalid", option: "triggers" }],
  ["a trigger that is a string", "model.personalize('fourth', { triggers: { examples: 'ten' } })", { code: "input_invalid", option: "triggers.examples" }],
  ["a trigger below 0", "model.personalize('fourth', { triggers: { age: -1 } })", { code: "input_invalid", option: "triggers.age" }],
  ["an unknown way to explore", "ranker.rank({ explore: 'often' })", { code: "input_invalid", option: "explore" }],
  ["no number of items", "ranker.rank({ top: 'ten' })", { code: "input_invalid", option: "top" }],
  ["a half-life of 0", "films.personalize('b', { halfLife: 0 })", { code: "input_invalid", option: "halfLife" }],
  ["examination that is a number", "films.personalize('b', { examination: 5 })", { code: "input_invalid", option: "examination" }],
  ["minItems that is a string", "films.personalize('b', { minItems: 'few' })", { code: "input_invalid", option: "minItems" }],
  ["a getter of load that throws", "client.load(url, throwing('signal'))", { code: "input_invalid" }],
  ["a getter of request that throws", "client.load(url, { request: throwing('headers') })", { code: "input_invalid" }],
  ["a getter of predict that throws", "model.predict(image, throwing('timeout'))", { code: "input_invalid" }],
  ["a getter of the task that throws", "model.predict(image, throwing('top'))", { code: "input_invalid" }],
  ["a getter of predictAll that throws", "one(model.predictAll([image], throwing('batchSize')))", { code: "input_invalid" }],
  ["a getter of predictAll's task that throws", "one(model.predictAll([image], throwing('top')))", { code: "input_invalid" }],
  ["a getter of watch that throws", "model.watch(document.createElement('canvas'), throwing('every'))", { code: "input_invalid" }],
  ["a getter of watch's signal that throws", "one(model.watch(document.createElement('canvas'), throwing('signal')))", { code: "input_invalid" }],
  ["a getter of addExample that throws", "mine.addExample(image, 'a', throwing('keep'))", { code: "input_invalid" }],
  ["a getter of train that throws", "mine.train(throwing('budget'))", { code: "input_invalid" }],
  ["a getter of personalize that throws", "model.personalize('fifth', throwing('triggers'))", { code: "input_invalid" }],
  ["a getter of createClient that throws", "insitu.createClient(throwing('backends'))", { code: "input_invalid" }],
  ["a URL of another realm", "client.load(new (document.body.appendChild(document.createElement('iframe')).contentWindow.URL)(url, location.href))", undefined],
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
    const films = await client.load("/models/ranker/", { task: "ranking" });
    const ranker = await films.personalize("a");
    const throwing = (name: string) =>
      Object.defineProperty({}, name, {
        enumerable: true,
        get() {
          throw new RangeError("the page's own mistake");
        },
      });
    const names = { insitu, url, client, model, gone, mine, image, one, films, ranker, throwing };
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
    return [count, version];
  });
  expect(done).toEqual([1, 1]);
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
