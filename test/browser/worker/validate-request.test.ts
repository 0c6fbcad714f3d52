// Hostile messages between page and worker: none hangs, ends, answers or changes anything else.
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { LibraryPage } from "../../support/page.js";
import { openSharedLibrary } from "../../support/shared-browser.js";
import type { WorkerAnswer } from "../../support/window.js";

vi.setConfig({ testTimeout: 60_000 });

const NOISY = `import "/dist/worker.js";
const clean = new Set([Object, Function, Array, Promise].flatMap((type) => Reflect.ownKeys(type.prototype).map(String)));
addEventListener("message", ({ data }) => {
  if (data === "inspect") {
    const now = [Object, Function, Array, Promise].flatMap((type) => Reflect.ownKeys(type.prototype).map(String));
    postMessage({ inspected: now.filter((key) => !clean.has(key)).concat(Object.keys(globalThis).filter((key) => /polluted/.test(key))) });
  }
  if (data?.noise) for (const one of data.noise) postMessage(one);
});`;

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({
    routes: [
      (req, res) => {
        if (req.url !== "/noisy.js") return false;
        res.writeHead(200, { "Content-Type": "text/javascript" }).end(NOISY);
        return true;
      },
    ],
  });
});
afterAll(() => library?.close());
beforeEach(async () => {
  await library.visit();
  await library.page.evaluate(async () => {
    window.started = 0;
    const worker = () => {
      window.started += 1;
      window.handle = new Worker("/noisy.js", { type: "module" });
      return window.handle;
    };
    window.client = window.insitu.createClient({ backends: ["cpu"], worker });
    window.digits = await window.client.load("/models/digits/", { task: "classification" });
    await window.digits.tuned;
    const ask = <T>(send: () => void, read: (data: unknown) => T | undefined) =>
      new Promise<T | undefined>((resolve) => {
        const end = (value?: T) => {
          clearTimeout(timer);
          window.handle.removeEventListener("message", hear);
          resolve(value);
        };
        const hear = ({ data }: MessageEvent) => {
          const value = read(data);
          if (value !== undefined) end(value);
        };
        const timer = setTimeout(end, 500);
        window.handle.addEventListener("message", hear);
        send();
      });
    window.request = (path, given, more = {}) => {
      const id = crypto.randomUUID();
      const argumentList = Array.isArray(given) ? given.map((value) => ({ type: "RAW", value })) : given;
      const message = { id, type: "APPLY", path, argumentList, ...more };
      return ask<WorkerAnswer>(
        () => window.handle.postMessage(message),
        (data) => ((data as { id?: string } | null)?.id === id ? (data as WorkerAnswer) : undefined),
      );
    };
    window.inspect = async () =>
      (await ask(
        () => window.handle.postMessage("inspect"),
        (data) => (data as { inspected?: string[] } | null)?.inspected,
      )) ?? ["no answer"];
  });
});

/** JSON of many values that look like messages of comlink and of the library, and of some that look like nothing. */
function hostile(seed: number, count: number): string {
  const words = ["id", "type", "path", "argumentList", "value", "name", "insitu", "protocol", "__proto__", "constructor", "prototype", "polluted", "call", "kind", "event", "calls", "answers"]; // biome-ignore format: one line
  const texts = ["APPLY", "GET", "SET", "CONSTRUCT", "ENDPOINT", "RELEASE", "RAW", "HANDLER", "throw", "proxy", "ready", "predict", "predicted", "connect", "abort", "unload", ...words]; // biome-ignore format: one line
  const leaf = fc.oneof(fc.constantFrom(...texts), fc.integer(), fc.constantFrom(null, true, 0, "", 1e308));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 4 }), fc.dictionary(fc.constantFrom(...words), tie("value"), { maxKeys: 6 })), // biome-ignore format: one line
  }));
  const message = fc.record(
    {
      id: fc.oneof(fc.uuid(), fc.integer(), value),
      type: fc.oneof(fc.constantFrom(...texts.slice(0, 6)), value),
      // Never the name of a method alone: such a request is not hostile, and does what it says.
      path: fc.oneof(fc.array(fc.constantFrom("predict", ...words), { minLength: 2, maxLength: 4 }), value.filter((path) => !Array.isArray(path) || path.length !== 1)), // biome-ignore format: one line
      argumentList: fc.oneof(fc.array(fc.record({ type: fc.constantFrom("RAW", "HANDLER", "x"), name: fc.constantFrom("throw", "proxy", "x"), value }), { maxLength: 3 }), value), // biome-ignore format: one line
      value,
    },
    { requiredKeys: [] },
  );
  return JSON.stringify(fc.sample(fc.oneof(message, value), { seed, numRuns: count }));
}

/** Sends while 20 predictions run; what came of them, and of the next. */
const underFire = (json: string, to: "window" | "worker" | "page") =>
  library.page.evaluate(
    async ([json, to]) => {
      const stray: string[] = [];
      window.addEventListener("unhandledrejection", ({ reason }) => stray.push(String(reason)));
      window.addEventListener("error", ({ message }) => stray.push(message));
      const before = await window.digits.predict(new Float32Array(784));
      const messages = JSON.parse(json) as unknown[];
      const send = (message: unknown) => {
        if (to === "window") window.postMessage(message, "*");
        else window.handle.postMessage(to === "worker" ? message : { noise: [message] });
      };
      const calls: Promise<string>[] = [];
      for (const [place, message] of messages.entries()) {
        if (place % Math.ceil(messages.length / 20) === 0)
          calls.push(window.digits.predict(new Float32Array(784)).then(() => "ran", (error: { code: string }) => error.code)); // biome-ignore format: one line
        send(message);
      }
      const outcomes = [...new Set(await Promise.all(calls))];
      const after = await window.digits.predict(new Float32Array(784));
      const polluted = [...(await window.inspect()), ...Object.keys(Object.prototype)];
      return {
        outcomes,
        same: JSON.stringify(after.value) === JSON.stringify(before.value),
        polluted,
        stray,
        started: window.started,
        sent: messages.length,
      };
    },
    [json, to] as const,
  );

test.each(["window", "worker", "page"] as const)("2000 random messages to the %s disturb nothing", async (to) => {
  expect(await underFire(hostile(7, 2000), to)).toEqual({
    outcomes: ["ran"],
    same: true,
    polluted: [],
    stray: [],
    started: 1,
    sent: 2000,
  });
});

test("requests for what is no method of the host are not answered, and reach nothing", async () => {
  const { answers, polluted, value } = await library.page.evaluate(async () => {
    const raw = (value: unknown) => ({ type: "RAW", value });
    const answers = await Promise.all([
      window.request(["constructor"], []),
      window.request(["__proto__", "polluted"], [], { type: "SET", value: raw(1) }),
      window.request(["predict", "constructor"], ["globalThis.polluted = 1"]),
      window.request(["predict", "__proto__", "polluted"], [], { type: "SET", value: raw(1) }),
      window.request(["predict"], [], { type: "SET", value: raw(null) }),
      window.request(["predict", "apply"], []),
      window.request(["predict"], [], { type: "CONSTRUCT" }),
      window.request([], [], { type: "ENDPOINT" }),
      window.request([], [], { type: "GET" }),
      window.request([], [], { type: "RELEASE" }),
      window.request(["hasOwnProperty"], ["x"]),
      // Each an uncaught error inside comlink, which would be the worker's end.
      window.request(["ping"], 5),
      window.request(["ping"], [null], { argumentList: [null] }),
      window.request(["ping"], 0, { argumentList: [{ type: "HANDLER", name: "throw", value: {} }] }),
      window.request(["ping"], 0, { argumentList: [{ type: "HANDLER", name: "proxy", value: 1 }] }),
    ]);
    const { value } = await window.digits.predict(new Float32Array(784));
    return { answers, polluted: await window.inspect(), value: value.length };
  });
  expect(answers.filter((answer) => answer !== undefined && answer !== null)).toEqual([]);
  expect({ polluted, value }).toEqual({ polluted: [], value: 10 });
});

test("requests with arguments of another kind are answered with a typed error, and the next call works", async () => {
  const { codes, value, alive } = await library.page.evaluate(async () => {
    const inputs: unknown[] = [
      undefined, null, 7, "image", [], {}, { kind: "other" }, { kind: "image" }, { kind: "image", image: {} }, { kind: "image", image: null },
      { kind: "image", image: new Float32Array(784) }, { kind: "tensor" }, { kind: "tensor", data: {} }, { kind: "tensor", data: [1, 2] },
      { kind: "tensor", data: new Float64Array(784) }, { kind: "tensor", data: new Float32Array(0) }, { kind: "tensor", data: new Float32Array(5e6) },
      { kind: "tensor", data: new DataView(new ArrayBuffer(8)) }, { kind: "tensors" }, { kind: "tensors", data: null }, { kind: "tensors", data: {} },
      { kind: "tensors", data: { length: 784 } }, { kind: "tensors", data: JSON.parse('{"__proto__": 1}') }, { kind: "tensors", data: { constructor: new Float32Array(784) } },
    ]; // biome-ignore format: a table
    const requests: [string, unknown[]][] = [
      ...inputs.map((input): [string, unknown[]] => ["predict", [1e6, 1, input]]),
      ["predict", []],
      ["predict", ["1", "1", { kind: "tensor", data: new Float32Array(784) }]],
      ["predict", [1e6, 1, { kind: "tensor", data: new Float32Array(784) }, "urgent"]],
      ["predict", [1e6, 99, { kind: "tensor", data: new Float32Array(784) }, {}]],
      ["connect", [{}, {}]],
      ["load", [1e6, "not an address", {}]],
      ["load", [1e6, "file:///etc/passwd", {}]],
      ["load", [1e6, "http://127.0.0.1:1/", null]],
      ["deletePackage", [1e6, {}]],
      ["pinPackage", [1e6, "http://127.0.0.1:1/", "yes"]],
      ["abort", ["all"]],
    ];
    const codes: [string, string | undefined][] = [];
    for (const [method, given] of requests) {
      const answer = await window.request([method], given);
      codes.push([method, answer?.value?.code]);
    }
    const { value } = await window.digits.predict(new Float32Array(784));
    return { codes, value: value.length, alive: await window.inspect() };
  });
  // A model that is not there was disposed.
  const expected = codes.map(([method], place) => [method, place === 27 ? "disposed" : "input_invalid"]);
  expect(codes).toEqual(expected);
  expect({ value, alive }).toEqual({ value: 10, alive: [] });
});

test("predictions, which come without comlink, are checked as well", async () => {
  const { codes, silent, value, alive } = await library.page.evaluate(async () => {
    const answers = new Map<number, string | undefined>();
    window.handle.addEventListener("message", ({ data }) => {
      if (data?.insitu !== "predicted") return;
      for (const { call, error } of data.answers) answers.set(call, error?.code);
    });
    const pixels = (length: number, width: unknown, height: unknown) => ({ kind: "image", image: { pixels: new Uint8ClampedArray(length), width, height } }); // biome-ignore format: one line
    const inputs: unknown[] = [
      undefined, null, 7, {}, { kind: "tensor", data: [1] }, pixels(4, 28, 28), pixels(0, 0, 0), pixels(16, -2, -2), pixels(4, "1", "1"),
      { kind: "image", image: { pixels: new Float32Array(4), width: 1, height: 1 } },
    ]; // biome-ignore format: a table
    const bad = inputs.map((input, index) => [1e6 + index, 1, input, {}]);
    const more = [[2e6], [2e6 + 1, "1", { kind: "tensor", data: new Float32Array(784) }, {}], [2e6 + 2, 1, { kind: "tensor", data: new Float32Array(784) }, 5]]; // biome-ignore format: one line
    window.handle.postMessage({ insitu: "predict", calls: [...bad, ...more] });
    for (const calls of [5, null, { length: 1 }, [null, 1, "x", {}, [], ["1"], [{}]]])
      window.handle.postMessage({ insitu: "predict", calls });
    window.handle.postMessage({ noise: [null, 5, [null, 1, {}, { call: "x" }, { call: 1e9, value: 1 }]].map((answers) => ({ insitu: "predicted", answers })) }); // biome-ignore format: one line
    const { value } = await window.digits.predict(new Float32Array(784));
    const mine = [...answers].filter(([call]) => call >= 1e6 && call !== 1e9);
    return {
      codes: [...new Set(mine.map(([, code]) => code))],
      silent: mine.length - bad.length - more.length,
      value: value.length,
      alive: [await window.inspect(), window.started],
    };
  });
  expect(codes).toEqual(["input_invalid"]);
  expect(silent).toBe(0);
  expect({ value, alive }).toEqual({ value: 10, alive: [[], 1] });
});

test("a second connect is refused: the page keeps its events", async () => {
  const code = await library.page.evaluate(async () => {
    const { port1, port2 } = new MessageChannel();
    const config = { backends: ["cpu"], storage: { name: "other", maxBytes: 1, expected: false }, maxThreads: 1, shutDownWorkers: [], workerId: "x" }; // biome-ignore format: one line
    const argumentList = [
      { type: "RAW", value: config },
      { type: "HANDLER", name: "proxy", value: port2 },
    ];
    const id = crypto.randomUUID();
    const answer = new Promise<string>((resolve) => {
      window.handle.addEventListener("message", ({ data }) => {
        if (data?.id === id) resolve(data.value?.code);
      });
    });
    window.handle.postMessage({ id, type: "APPLY", path: ["connect"], argumentList }, [port2]);
    const code = await answer;
    port1.close();
    const model = await window.client.load("/models/digits/", { onProgress: () => undefined });
    return [code, model.info.source];
  });
  expect(code).toEqual(["input_invalid", "memory"]);
});
