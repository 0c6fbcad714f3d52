// Plans that `pack` records: files of the package, which `verify` checks and replays, and `inspect` lists; models that can have none say why.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeText } from "../../../src/cli/files.js";
import { inspect, inspectionText } from "../../../src/cli/inspect.js";
import { type PackOptions, packModel } from "../../../src/cli/pack.js";
import { readPlans, replayPlans } from "../../../src/cli/plans.js";
import { readSelfTests } from "../../../src/cli/self-tests.js";
import { verifyPackage } from "../../../src/cli/verify.js";
import type { Manifest } from "../../../src/shared/types/manifest.js";
import { PLAN_BINARY } from "../../../src/worker/runtime/plan/plan-store.js";
import { writePlan } from "../../../src/worker/runtime/plan/plan-text.js";
import type { StoredPlan } from "../../../src/worker/runtime/plan/stored-plan.js";
import { useRooms } from "../../support/packages.js";

const rooms = useRooms();
const PLANS = ["plan-run.json", "plan-embed.json"];

async function packed(options: Omit<PackOptions, "out">): Promise<{ manifest: Manifest; lines: string[] }> {
  const lines: string[] = [];
  const onProgress = (line: string) => void lines.push(line);
  const manifest = await packModel({ out: rooms.folder, created: "2026-01-01T00:00:00Z", onProgress, ...options });
  return { manifest, lines: lines.filter((line) => line.startsWith("plan: ")) };
}

const digits = (more: Partial<PackOptions> = {}) =>
  packed({ model: "models/digits/package", name: "digits", task: "models/digits/task.json", ...more });

/** Replaces a plan in the folder, with its hash in the manifest. */
function replace(manifest: Manifest, path: string, text: string): void {
  writeFileSync(join(rooms.folder, path), text);
  const files = manifest.files.map((file) => (file.path === path ? describeText(text, path) : file));
  writeFileSync(join(rooms.folder, "insitu.json"), JSON.stringify({ ...manifest, files }));
}

describe("plans of a package", () => {
  it("are of one item, of the outputs and the embedding, and the same each time", async () => {
    const { manifest, lines } = await digits();
    const inputs = { image: [1, 28, 28, 1] };
    expect(manifest.plans).toEqual(PLANS.map((path) => ({ path, inputs, binary: PLAN_BINARY })));
    expect(manifest.files.map(({ path }) => path).slice(-2)).toEqual(PLANS);
    expect(lines).toEqual([
      expect.stringMatching(
        /^plan: plan-run.json, the outputs for image \[1, 28, 28, 1\]: \d+ steps \(FusedConv2D 3, /,
      ),
      expect.stringMatching(/^plan: plan-embed.json, the embedding for image /),
    ]);
    const { digest } = await verifyPackage(rooms.folder);
    await digits({ model: join(rooms.folder, "model.json") });
    expect((await verifyPackage(rooms.folder)).digest).toBe(digest);
    const found = await inspect(rooms.folder);
    expect(found.plans).toMatchObject([
      { part: "run", inputs, kernels: { FusedConv2D: 3, _FusedMatMul: 1 } },
      { part: "embed", inputs },
    ]);
    expect(inspectionText(found)).toContain("plan     plan-run.json, the outputs for image [1, 28, 28, 1]: ");
  });

  it("are left out where that is wanted", async () => {
    const { manifest, lines } = await digits({ plan: false });
    expect(manifest.plans).toBeUndefined();
    expect(lines).toEqual([]);
  });

  it("are none where the model has control flow, is of layers, or has kernels that cannot be checked, and the line says it", async () => {
    const options = { name: "x", selfTest: false } as const;
    const cases: [model: string, line: RegExp][] = [
      ["test/fixtures/cases/constout", /^plan: none, since the model has control flow/],
      ["test/fixtures/cases/encoder", /^plan: none, since a layers model has none$/],
    ];
    for (const [model, line] of cases) {
      const { manifest, lines } = await packed({ model, ...options });
      expect(manifest.plans).toBeUndefined();
      expect(lines).toEqual([expect.stringMatching(line)]);
    }
  });

  it("are replayed on the self-tests without tfjs, and refused where they compute something else", async () => {
    const { manifest } = await digits();
    const { model } = await verifyPackage(rooms.folder);
    const tests = await readSelfTests(manifest, rooms.folder);
    expect(await replayPlans(manifest, model, rooms.folder, tests)).toBe(1);
    const { plan } = (await readPlans(manifest, rooms.folder))[0] as { plan: StoredPlan };
    // The last step is the softmax; without it the output would not be written, so it becomes another kernel of the same arguments.
    const steps = plan.steps.map((step) => (step.kind === "call" && step.name === "Softmax" ? { ...step, name: "Sigmoid", args: step.args.slice(0, 2) } : step)); // biome-ignore format: one line
    replace(manifest, "plan-run.json", writePlan({ ...plan, steps }));
    const changed = await verifyPackage(rooms.folder);
    await expect(replayPlans(changed.manifest, model, rooms.folder, tests)).rejects.toMatchObject({
      code: "output_invalid",
      message: expect.stringContaining("does not compute the recorded outputs"),
    });
  });

  it("are refused by verify where a page would ignore them", async () => {
    const { manifest } = await digits();
    const text = readFileSync(join(rooms.folder, "plan-run.json"), "utf8");
    replace(manifest, "plan-run.json", text.replace("MaxPool", "malloc"));
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({
      code: "model_format",
      data: { field: expect.stringMatching(/^steps\[\d\]$/) },
      message: expect.stringContaining("malloc is no kernel of plans"),
    });
    // Those of another version's binary are nobody's concern here.
    const other = (manifest.plans ?? []).map((plan) => ({ ...plan, binary: "another version" }));
    replace({ ...manifest, plans: other }, "plan-run.json", "not a plan");
    expect(await readPlans((await verifyPackage(rooms.folder)).manifest, rooms.folder)).toEqual([]);
  });
});
