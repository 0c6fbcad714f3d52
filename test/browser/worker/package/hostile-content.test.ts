// A manifest or model.json cannot ask for files outside the package, for huge sizes or for unknown ops.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph, republish } from "../../../support/graphs.js";

const GRAPH = { tables: [1, 2], rows: 16, files: "apart" } as const;
const answer = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));

/** Sends "polluted" on its channel when anything was added to what all objects inherit, "clean" when not. */
const SPY = `
  const known = Reflect.ownKeys(Object.prototype).length;
  const spy = new BroadcastChannel("spy");
  spy.onmessage = () => spy.postMessage(Reflect.ownKeys(Object.prototype).length === known && ({}).polluted === undefined ? "clean" : "polluted");
  await import("/dist/worker.js");`;

const delivery = useDelivery({
  routes: [
    (req, res) => {
      if (req.url !== "/spy.js") return false;
      res.writeHead(200, { "Content-Type": "text/javascript" }).end(SPY);
      return true;
    },
  ],
});
let asked: string[] = [];
beforeEach(async () => {
  await makeGraph(delivery.folder, GRAPH);
  delivery.library.page.removeAllListeners("request");
  asked = [];
  delivery.library.page.on("request", (request) => asked.push(request.url()));
});

/** Loads, and makes sure that nothing outside of the package was asked for but the library's own files. */
async function loadWithin() {
  const outcome = await delivery.load();
  const allowed = [delivery.path, "/dist/"].map((path) => new URL(path, delivery.server.url).href);
  expect(asked.some((url) => url.endsWith(`${delivery.path}insitu.json`))).toBe(true);
  expect(asked.filter((url) => !allowed.some((start) => url.startsWith(start)))).toEqual([]);
  expect(outcome.progress.map(({ phase }) => phase)).not.toContain("warmup");
  return outcome;
}

const PATHS = [
  "../secret.bin",
  "a/../../secret.bin",
  "%2e%2e/secret.bin",
  "..%2fsecret.bin",
  "..\\secret.bin",
  "/secret.bin",
  "//localhost:9/secret.bin",
  "http://localhost:9/secret.bin",
  "data:application/octet-stream,secret",
  "\thttp://localhost:9/secret.bin",
  "table_0.bin?secret",
  "table_0.bin#secret",
  "",
];
/** The package's own folder, as `model.save("downloads://…")` writes it; a manifest does not. */
const HERE = "./table_0.bin";

describe("a path that leaves the package", () => {
  test("is refused in the manifest", async () => {
    for (const path of [...PATHS, HERE]) {
      republish(delivery.folder, (manifest) => {
        manifest.files[1].path = path;
      });
      const outcome = await loadWithin();
      expect([path, outcome]).toMatchObject([path, { code: "model_format", data: { field: "files[1].path" } }]);
      expect(delivery.asked().map(({ url }) => url)).toEqual([`${delivery.path}insitu.json`]);
      delivery.heal();
    }
  });

  test("is refused in the model's description", async () => {
    for (const path of [...PATHS, "./../secret.bin", "./", ".//localhost:9/secret.bin"]) {
      republish(delivery.folder, (_, model) => {
        model.weightsManifest[0].paths[0] = path;
      });
      const { code, data } = await loadWithin();
      expect([path, code, data.field]).toEqual([path, "model_format", "weightsManifest[0].paths[0]"]);
    }
  });

  test("is not one that begins with ./ in the model's description", async () => {
    republish(delivery.folder, (_, model) => {
      model.weightsManifest[0].paths[0] = HERE;
    });
    expect(await loadThenDigits("cpu")).toMatchObject({ first: 1024, digits: 10 });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: they put into it what no type would allow.
type Change = (model: any) => void;
const weight: (change: object) => Change = (change) => (model) =>
  void Object.assign(model.weightsManifest[0].weights[0], change);

const WEIGHTS = /^weightsManifest/;
const SIZES: [string, Change, field: RegExp][] = [
  ["a shape of 2^62 numbers", weight({ shape: [2 ** 31, 2 ** 31] }), /weights\[0\]\.shape$/],
  ["a shape whose product is no number", weight({ shape: Array(8).fill(2 ** 53 - 1) }), /weights\[0\]\.shape$/],
  ["a shape of 0 beside a huge one", weight({ shape: [0, 2 ** 40] }), /weights\[0\]\.shape$/],
  ["a shape of nine sizes", weight({ shape: Array(9).fill(1) }), /weights\[0\]\.shape$/],
  ["a shape of negative sizes", weight({ shape: [-16, -1024] }), /weights\[0\]\.shape\[0\]$/],
  ["a size that is no whole number", weight({ shape: [16.5, 1024] }), /weights\[0\]\.shape\[0\]$/],
  ["a weight that is larger than its file", weight({ shape: [17, 1024] }), WEIGHTS],
  ["a file that goes on behind its weight", weight({ shape: [15, 1024] }), WEIGHTS],
  ["a dtype that is none", weight({ dtype: "string" }), /weights\[0\]\.dtype$/],
  [
    "a quantisation that is none",
    weight({ quantization: { dtype: "int4", scale: 1, min: 0 } }),
    /quantization\.dtype$/,
  ],
  ["a quantisation that scales by a text", weight({ quantization: { dtype: "uint8", scale: "1", min: 0 } }), /scale$/],
  ["one name for two weights", weight({ name: "table_1" }), /weights$/],
  ["a weight whose name would set a prototype", weight({ name: "__proto__" }), /name$/],
  [
    "a graph of 100,001 nodes",
    (model) => {
      model.modelTopology.node = Array.from({ length: 100_001 }, (_, index) => ({ name: `n${index}`, op: "NoOp" }));
    },
    /^modelTopology\.node$/,
  ],
];

test.each(SIZES)("%s is refused before a weight is decoded", async (_name, change, field) => {
  republish(delivery.folder, (_manifest, model) => change(model));
  const { code, data, progress } = await loadWithin();
  expect([code, data.field]).toEqual(["model_format", expect.stringMatching(field)]);
  expect(progress.map(({ phase }) => phase)).not.toContain("compile");
});

test("a manifest that nests 100,000 levels deep is refused", async () => {
  const manifest = readFileSync(join(delivery.folder, "insitu.json"), "utf8").trim();
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  delivery.fail("insitu.json", { kind: "replace", body: `${manifest.slice(0, -1)}, "extra": ${deep}}` });
  expect(await loadWithin()).toMatchObject({ code: "model_format", message: expect.stringContaining("levels deep") });
});

/** Loads the package and then the digits with one client, whose worker reports whether anything was added to all objects. */
function loadThenDigits(backend: "wasm" | "cpu") {
  return delivery.library.page.evaluate(
    async ({ url, store, backends }) => {
      const client = window.insitu.createClient({ backends, storage: { name: store }, worker: "/spy.js" });
      const load = (address: string, numbers: Float32Array | Int32Array) =>
        client.load(address).then(
          async (model) => Object.values((await model.predict(numbers)).outputs)[0]?.data.length,
          ({ code, message }: InstanceType<typeof window.insitu.InsituError>) => ({ code, message }),
        );
      const first = await load(url, new Int32Array([3]));
      const spy = new BroadcastChannel("spy");
      const objects = await new Promise<string>((resolve) => {
        spy.onmessage = ({ data }) => resolve(data);
        spy.postMessage("?");
      });
      const digits = await load("/models/digits/", new Float32Array(784));
      await client.dispose();
      return { first, objects, digits };
    },
    { url: delivery.path, store: delivery.store, backends: [backend] },
  );
}

test.each(["wasm", "cpu"] as const)(
  "an op that asks %s for 16 GiB, as its data says, fails alone, and the next model runs",
  async (on) => {
    publishFill("dataSizes");
    const { first, digits } = await loadThenDigits(on);
    expect(first).toMatchObject({ code: "backend_unavailable", message: expect.stringMatching(/array/i) });
    expect(digits).toBe(10);
  },
);

test("an op that is certain to ask for 16 GiB is refused before it runs, and the next model runs", async () => {
  publishFill("sizes");
  const { first, digits } = await loadThenDigits("wasm");
  expect(first).toMatchObject({ code: "model_too_large" });
  expect(digits).toBe(10);
});

/** The model's sum becomes a Fill of 65,536 by 65,536 floats. */
function publishFill(sizes: "sizes" | "dataSizes"): void {
  // The first two numbers of the second table become the sizes that Fill fills.
  const path = join(delivery.folder, "table_1.bin");
  const bytes = readFileSync(path);
  bytes.set(new Uint8Array(new Int32Array([65_536, 65_536]).buffer));
  writeFileSync(path, bytes);
  republish(delivery.folder, (_, model) => {
    const [{ weights }] = model.weightsManifest;
    weights.splice(
      1,
      1,
      { name: "sizes", shape: [2], dtype: "int32" },
      { ...weights[1], name: "rest", shape: [16_382] },
    );
    const node = model.modelTopology.node.filter(({ name }: { name: string }) => !/^(table|row)_1$|^sum$/.test(name));
    const [FLOAT, INT] = [{ type: "DT_FLOAT" }, { type: "DT_INT32" }];
    const value = { tensor: { dtype: "DT_INT32", tensorShape: { dim: [{ size: "2" }] } } };
    node.push({ name: "sizes", op: "Const", attr: { dtype: INT, value } });
    node.push({ name: "one", op: "Max", input: ["row_0", "axis"], attr: { T: FLOAT, keep_dims: { b: false } } });
    // Zero, which only a run shows: it makes sizes that no rule can know.
    node.push({ name: "zeros", op: "Sub", input: ["one", "one"], attr: { T: FLOAT } });
    node.push({ name: "zero", op: "Max", input: ["zeros", "axis"], attr: { T: FLOAT, keep_dims: { b: false } } });
    node.push({ name: "none", op: "Cast", input: ["zero"], attr: { SrcT: FLOAT, DstT: INT } });
    node.push({ name: "dataSizes", op: "AddV2", input: ["sizes", "none"], attr: { T: INT } });
    node.push({ name: "sum", op: "Fill", input: [sizes, "one"], attr: { T: FLOAT, index_type: INT } });
    model.modelTopology.node = node;
  });
}

describe("keys that could change what all objects inherit", () => {
  /** Gives every object in `value` the keys that careless copying would follow. */
  const poison = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    Object.values(value).forEach(poison);
    if (Array.isArray(value)) return;
    const evil = { polluted: true };
    Object.defineProperty(value, "__proto__", { value: evil, enumerable: true });
    Object.defineProperty(value, "constructor", { value: { prototype: evil }, enumerable: true });
  };

  test("change nothing in a manifest", async () => {
    republish(delivery.folder, poison);
    expect(readFileSync(join(delivery.folder, "insitu.json"), "utf8")).toContain('"__proto__":{"polluted":true}');
    expect(await loadThenDigits("cpu")).toEqual({ first: 1024, objects: "clean", digits: 10 });
  });

  test("change nothing in a model's description", async () => {
    republish(delivery.folder, (_, model) => poison(model));
    expect(await loadThenDigits("cpu")).toEqual({ first: 1024, objects: "clean", digits: 10 });
  });

  test.each([
    ["numbers", 1024],
    // tfjs keeps nodes in plain objects, and takes for a node what they inherit.
    ["constructor", { code: "backend_unavailable" }],
    ["toString", { code: "backend_unavailable" }],
    ["__proto__", { code: "model_format" }],
  ])("as the name of an input: %s", async (name, first) => {
    republish(delivery.folder, (manifest, model) => {
      const text = JSON.stringify(model).replaceAll('"ids"', `"${name}"`).replaceAll('"ids:0"', `"${name}:0"`);
      Object.assign(model, JSON.parse(text));
      manifest.inputs[0].name = name;
    });
    expect(await loadThenDigits("cpu")).toMatchObject({ first, objects: "clean", digits: 10 });
  });
});

test("a weight that is NaN is an error of the prediction that uses it", async () => {
  await makeGraph(delivery.folder, { ...GRAPH, nanInRow: 5 });
  expect(await delivery.load({ id: 3 })).toMatchObject({ code: "", answer });
  expect(await delivery.load({ id: 5 })).toMatchObject({ code: "", answer: "output_invalid" });
});

test("an op that nobody registered is named, and nothing is fetched for it", async () => {
  republish(delivery.folder, (_, model) => {
    const sum = model.modelTopology.node.find(({ name }: { name: string }) => name === "sum");
    const url = Buffer.from("http://localhost:9/op.js").toString("base64");
    Object.assign(sum, { op: "RunScript", attr: { ...sum.attr, url: { s: url } } });
  });
  const { code, message } = await loadWithin();
  expect([code, message]).toEqual(["backend_unavailable", expect.stringContaining("RunScript")]);
});

test("a Lambda layer is named, and its code not run", async () => {
  republish(delivery.folder, (manifest, model) => {
    manifest.format = "tfjs-layers-model";
    manifest.files.length = 1;
    const config = { name: "evil", batch_input_shape: [null, 1], function: "fetch('http://localhost:9/')" };
    const layers = [{ class_name: "Lambda", config }];
    Object.assign(model, { format: "layers-model", weightsManifest: [] });
    model.modelTopology = { class_name: "Sequential", config: { name: "s", layers } };
  });
  const { code, message } = await loadWithin();
  expect([code, message]).toEqual(["backend_unavailable", expect.stringContaining("Lambda")]);
});
