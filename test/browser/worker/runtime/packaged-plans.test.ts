// A package with a plan: the first visit predicts on wasm without TensorFlow.js, with its outputs. A damaged plan is refused as any damaged file
// is; one of a stranger that could leave its memory, or of another model, is ignored.
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type { Manifest } from "../../../../src/shared/types/manifest.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let root: string;
let library: LibraryPage;

const DIGITS = { model: "models/digits/package", name: "digits", task: "models/digits/task.json" };

/** Copies the package with other content of its plan; `isListed` writes the hash of the content into the manifest. */
function change(to: string, isListed: boolean, edit: (text: string) => string): void {
  const [from, folder] = [join(root, "planned"), join(root, to)];
  cpSync(from, folder, { recursive: true });
  const text = edit(readFileSync(join(from, "plan-run.json"), "utf8"));
  writeFileSync(join(folder, "plan-run.json"), text);
  if (!isListed) return;
  const path = join(folder, "insitu.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  const sha256 = createHash("sha256").update(text).digest("hex");
  manifest.files = manifest.files.map((file) =>
    file.path === "plan-run.json" ? { path: file.path, size: Buffer.byteLength(text), sha256 } : file,
  );
  writeFileSync(path, JSON.stringify(manifest));
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-packaged-"));
  await packModel({ ...DIGITS, out: join(root, "planned") });
  await packModel({ ...DIGITS, out: join(root, "bare"), plan: false });
  // Of the same length, so that its hash alone tells.
  change("damaged", false, (text) => text.replace('"MaxPool"', '"MinPool"'));
  // The first convolution's output has room for half of what it writes.
  change("hostile", true, (text) => text.replace('{"size":12544,', '{"size":6272,'));
  change("foreign", true, (text) => text.replaceAll('"weight":"', '"weight":"of-another-model/'));
});
afterAll(async () => {
  await library?.close();
  rmSync(root, { recursive: true, force: true });
});

interface Visit {
  /** Bytes of the outputs of three predictions. */
  outputs?: string[];
  plan?: { state: string; shapes: number };
  code?: string;
  /** Whether tfjs's engine was requested. */
  hasTfjs: boolean;
}

async function visit(path: string): Promise<Visit> {
  library ??= await openSharedLibrary({ mounts: { "/plans/": root } });
  library.server.requests.length = 0;
  const found = await library.page.evaluate(async (path) => {
    const client = window.insitu.createClient({ backends: ["wasm"], storage: { name: path } });
    try {
      const model = await client.load(path);
      const { plan } = model.info;
      const picture = (seed: number) => ({
        image: Float32Array.from({ length: 784 }, (_, index) => (((index + 1) * (seed + 3) * 7919) % 251) / 255),
      });
      const outputs: string[] = [];
      const note = (data: ArrayBufferView) =>
        outputs.push(Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).join());
      for (const seed of [1, 2, 3])
        for (const { data } of Object.values((await model.predict(picture(seed))).outputs)) note(data);
      return { outputs, plan: { state: plan.state, shapes: plan.shapes } };
    } catch (error) {
      return { code: (error as { code?: string }).code ?? String(error) };
    } finally {
      await client.dispose();
    }
  }, path);
  return { ...found, hasTfjs: library.server.requests.some(({ url }) => url.includes("engine-tfjs")) };
}

test("the first visit of a package with plans loads no tfjs, and has its outputs", async () => {
  const planned = await visit("/plans/planned/");
  expect(planned).toMatchObject({ plan: { state: "used" }, hasTfjs: false });
  const bare = await visit("/plans/bare/");
  expect(bare.hasTfjs).toBe(true);
  expect(planned.outputs).toHaveLength(3);
  expect(planned.outputs).toEqual(bare.outputs);
  // From the store.
  expect(await visit("/plans/planned/")).toEqual(planned);
});

test("a plan whose bytes are not those of the manifest is refused as any damaged file is", async () => {
  expect(await visit("/plans/damaged/")).toMatchObject({ code: "model_integrity" });
});

test.each(["hostile", "foreign"])("a plan that is %s is ignored, and tfjs runs the model", async (name) => {
  const found = await visit(`/plans/${name}/`);
  expect(found).toMatchObject({ hasTfjs: true });
  expect(found.outputs).toEqual((await visit("/plans/bare/")).outputs);
});
