// Numbers for models that leave sizes open or look numbers up in a table: with their shape, and only those that the table has.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import { SWIFTSHADER_WEBGPU } from "../../../support/chromium.js";
import { republish } from "../../../support/graphs.js";
import { type LibraryPage, openLibrary } from "../../../support/page.js";

const root = mkdtempSync(join(tmpdir(), "insitu-shaped-"));
let library: LibraryPage;

/** y = x * [1, 2, 3], for a map of any height and width. */
function writeMap(): string {
  const float = { type: "DT_FLOAT" };
  const shape = { dim: [-1, -1, -1, 3].map((size) => ({ size: `${size}` })) };
  const tensor = (name: string) => ({ name: `${name}:0`, dtype: "DT_FLOAT", tensorShape: shape });
  writeFileSync(join(root, "map.bin"), Buffer.from(Float32Array.of(1, 2, 3).buffer));
  const model = {
    format: "graph-model",
    signature: { inputs: { x: tensor("x") }, outputs: { y: tensor("y") } },
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: { dtype: float, shape: { shape } } },
        { name: "w", op: "Const", attr: { dtype: float } },
        { name: "y", op: "Mul", input: ["x", "w"], attr: { T: float } },
      ],
      versions: {},
    },
    weightsManifest: [{ paths: ["map.bin"], weights: [{ name: "w", shape: [3], dtype: "float32" }] }],
  };
  writeFileSync(join(root, "map.json"), JSON.stringify(model));
  return join(root, "map.json");
}

beforeAll(async () => {
  await packModel({ model: writeMap(), out: join(root, "map") });
  await packModel({ model: "test/fixtures/cases/seqlen", out: join(root, "tokens") });
  await packModel({ model: "test/fixtures/cases/seqlen", out: join(root, "old") });
  // As an earlier version packed it.
  republish(join(root, "old"), (manifest) => {
    for (const input of manifest.inputs as Record<string, unknown>[]) delete input.range;
  });
  library = await openLibrary({ args: SWIFTSHADER_WEBGPU }, { mounts: { "/shaped/": root } });
});
afterAll(async () => {
  rmSync(root, { recursive: true });
  await library?.close();
});

test("two open sizes of numbers are given by their shape, alone and by name", async () => {
  const found = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["wasm"] });
    const model = await client.load("/shaped/map/");
    const data = Float32Array.from({ length: 18 }, (_, index) => index);
    const attempt = async (input: unknown) => {
      try {
        const { outputs } = await model.predict(input as Parameters<typeof model.predict>[0]);
        const [{ shape, data: numbers } = { shape: [], data: [] }] = Object.values(outputs);
        return { shape, last: numbers[17] };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { code, message };
      }
    };
    const results = {
      tall: await attempt({ data, shape: [1, 3, 2, 3] }),
      wide: await attempt({ data, shape: [1, 1, 6, 3] }),
      named: await attempt({ [model.info.inputs[0]?.name ?? ""]: { data, shape: [1, 2, 3, 3] } }),
      none: await attempt(data),
      wrong: await attempt({ data, shape: [1, 2, 2, 3] }),
      odd: await attempt({ data, shape: [1, 2, () => 3, 3] }),
      longer: await attempt({ data, shape: new Array(1e5).fill(1) }),
      kept: data[17],
    };
    await client.dispose();
    return results;
  });
  expect(found).toMatchObject({
    tall: { shape: [1, 3, 2, 3], last: 51 },
    wide: { shape: [1, 1, 6, 3], last: 51 },
    named: { shape: [1, 2, 3, 3], last: 51 },
    none: { code: "input_invalid", message: expect.stringContaining("Pass { data, shape }") },
    wrong: { code: "input_invalid", message: expect.stringContaining("and shape [1,2,2,3]") },
    odd: { code: "input_invalid" },
    longer: { code: "input_invalid" },
    kept: 17,
  });
  expect((found.longer as { message: string }).message.length).toBeLessThan(1000);
});

describe("a token that the model's table does not have", () => {
  const predict = (folder: string, backend: "wasm" | "cpu" | "webgpu", ...batch: number[][]) =>
    library.page.evaluate(
      async ([path, use, all]) => {
        const client = window.insitu.createClient({ backends: [use] });
        const model = await client.load(path);
        const results = await Promise.allSettled(all.map((tokens) => model.predict(Float32Array.from(tokens))));
        await client.dispose();
        return results.map((result) => {
          if (result.status === "fulfilled") return { backend: result.value.backend };
          const { code, message, data } = result.reason as { code: string; message: string; data: object };
          return { code, message, data };
        });
      },
      [`/shaped/${folder}/`, backend, batch] as const,
    );

  test.each(["wasm", "cpu", "webgpu"] as const)(
    "is refused on %s with the range, and the others of the batch are not",
    async (backend) => {
      const refused = {
        code: "input_invalid",
        message: expect.stringContaining("It takes numbers from 0 to 19"),
        data: { input: "tokens", index: 1, range: [0, 19] },
      };
      expect(await predict("tokens", backend, [0, 19], [0, 20], [3, -1], [1, 2])).toMatchObject([
        { backend },
        refused,
        refused,
        { backend },
      ]);
    },
  );

  test.each(["wasm", "cpu"] as const)("is refused on %s also where the package names no range", async (backend) => {
    const refused = {
      code: "input_invalid",
      message: expect.stringMatching(/row 20 of a table with the rows 0 to 19/),
      data: { range: [0, 19] },
    };
    expect(await predict("old", backend, [0, 19], [0, 20], [1, 2])).toMatchObject([{ backend }, refused, { backend }]);
  });
});
