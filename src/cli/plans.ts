// Records a model's plans in Node, as a page does, and checks and replays those of a package.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InsituError, isInsituError } from "../shared/errors.js";
import type { Manifest, PlanSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { sampleShape } from "../worker/package/sample-shape.js";
import { mulberry32 } from "../worker/package/seeded-noise.js";
import type { SelfTest } from "../worker/package/self-test-files.js";
import type { ModelJson } from "../worker/package/topology.js";
import { beginRewrite } from "../worker/runtime/graph/begin-rewrite.js";
import { checkPlan, type Matrices } from "../worker/runtime/plan/check-plan.js";
import { createPlanEngine } from "../worker/runtime/plan/plan-engine.js";
import { PLAN_BINARY } from "../worker/runtime/plan/plan-store.js";
import { readPlan, writePlan } from "../worker/runtime/plan/plan-text.js";
import type { Part } from "../worker/runtime/plan/steps.js";
import { keyOfFeeds, keyOfStored, type StoredPlan } from "../worker/runtime/plan/stored-plan.js";
import type { ModelSource, PlanStore, Session } from "../worker/runtime/session/engine.js";
import { compareOutputs, reasonText } from "../worker/runtime/session/verify-session.js";
import type { WasmBinaries } from "../worker/runtime/wasm-binary.js";
import { readText, weightChunks } from "./files.js";
import { planText, summaryOf } from "./plan-summary.js";

export interface RecordedPlans {
  specs: PlanSpec[];
  files: { path: string; text: string }[];
}

interface PlanOptions {
  manifest: Manifest;
  model: ModelJson;
  folder: string;
  tests: SelfTest[];
  /** Receives a line for each plan, and one where there is none. */
  onProgress?: (line: string) => void;
}

type Feeds = Record<string, TensorData>;

const NONE: RecordedPlans = { specs: [], files: [] };
/** A shape gets a plan once it was used so often (see `session-plans.ts`). */
const USES = 2;

/** Plans of one item: of the outputs, and of the embedding where the manifest has one. Never throws: a package without plans works too. */
export async function recordPlans(options: PlanOptions): Promise<RecordedPlans> {
  const { manifest, model, onProgress = () => undefined } = options;
  if (model.format !== "tfjs-graph-model") {
    onProgress("plan: none, since a layers model has none");
    return NONE;
  }
  try {
    const plans = await record(options);
    const matrices: Matrices = new Map();
    for (const plan of plans) checkPlan(plan, manifest, `the plan of the ${plan.part}`, matrices);
    for (const plan of plans) onProgress(`plan: ${planText(summaryOf(pathOf(plan.part), plan))}`);
    return {
      specs: plans.map(({ part, inputs }) => ({
        path: pathOf(part),
        inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
        binary: PLAN_BINARY,
      })),
      files: plans.map((plan) => ({ path: pathOf(plan.part), text: writePlan(plan) })),
    };
  } catch (error) {
    onProgress(`plan: none, since ${error instanceof Error ? error.message : String(error)}`);
    return NONE;
  }
}

const pathOf = (part: Part): string => `plan-${part}.json`;

async function record({ manifest, model, folder, tests }: PlanOptions): Promise<StoredPlan[]> {
  let stored: StoredPlan[] = [];
  const store: PlanStore = {
    read: async () => stored,
    own: async () => stored,
    write: async (plans) => {
      stored = plans;
    },
    refuse: async () => {
      stored = [];
    },
    kernels: async () => undefined,
    keepKernels: async () => undefined,
  };
  const { openOnWasm } = await import("./reference.js");
  const session = await openOnWasm({ ...sourceOf(manifest, model, folder), plans: store }, nodeBinaries());
  try {
    const feeds = tests[0]?.inputs ?? noise(manifest);
    await recordPart(session, "run", feeds, tests);
    if (manifest.embedding) await recordPart(session, "embed", feeds, tests);
    const { reason } = session.plans?.info ?? {};
    if (stored.length === 0) throw new Error(reason ?? "its run cannot be stored");
    return stored;
  } finally {
    session.dispose();
  }
}

async function recordPart(session: Session, part: Part, feeds: Feeds, tests: SelfTest[]): Promise<void> {
  for (let use = 0; use < USES; use += 1) await (part === "run" ? session.run(feeds) : session.embed(feeds));
  while (session.plans?.isWanted) await session.plans.advance(async () => tests);
}

function sourceOf({ inputs, outputs, embedding }: Manifest, model: ModelJson, folder: string): ModelSource {
  const weights = () => weightChunks(model.weightFiles.map((path) => join(folder, path)));
  // Present, so that the graph is rewritten as in a page.
  const rewrites = { read: async () => undefined, write: async () => undefined };
  return { model, weights, inputs, outputs, embedding, rewrites };
}

/** Values in the range that the manifest gives, else from 0 to 1. */
function noise({ inputs }: Manifest): Feeds {
  const random = mulberry32(1);
  const entries = inputs.map(({ name, dtype, shape, range: [low, high] = [0, 1] }): [string, TensorData] => {
    const sides = sampleShape(shape);
    const size = sides.reduce((product, side) => product * side, 1);
    if (dtype === "float32") return [name, { dtype, shape: sides, data: Float32Array.from({ length: size }, () => low + random() * (high - low)) }]; // biome-ignore format: one line
    const draw = () => Math.floor(low + random() * (high - low + 1));
    const data = dtype === "int32" ? Int32Array.from({ length: size }, draw) : Uint8Array.from({ length: size }, () => random() * 2); // biome-ignore format: one line
    return [name, { dtype, shape: sides, data }];
  });
  return Object.fromEntries(entries);
}

/** The binaries of the installed package: `dist/wasm`, seen from `src/cli` and from `dist/cli`. */
function nodeBinaries(): WasmBinaries {
  const urlOf = (name: string) => new URL(`../../dist/wasm/${name}`, import.meta.url);
  return {
    url: (name) => urlOf(name).href,
    async bytes(name) {
      const { buffer, byteOffset, length } = await readFile(urlOf(name));
      return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + length);
    },
  };
}

// ---- of a package ------------------------------------------------------------------------------------------------

export interface PackagedPlan {
  path: string;
  plan: StoredPlan;
}

/** The plans for this version's binary, each checked as a page does. Throws `model_format` for one that pages ignore. */
export async function readPlans(manifest: Manifest, folder: string): Promise<PackagedPlan[]> {
  const matrices: Matrices = new Map();
  const found: PackagedPlan[] = [];
  for (const { path, inputs, binary } of manifest.plans ?? []) {
    if (binary !== PLAN_BINARY) continue;
    const where = join(folder, path);
    const plan = readPlan(await readText(where), where);
    checkPlan(plan, manifest, where, matrices);
    const isStated = plan.inputs.every(({ name, shape }) => shape.join() === inputs[name]?.join());
    if (!isStated) {
      const message = `${where} is for other shapes than the manifest says. Pack the model again.`;
      throw new InsituError("model_format", message, { url: where, field: "inputs" });
    }
    found.push({ path, plan });
  }
  return found;
}

/** Replays the plans without tfjs on the self-tests of their shapes. Returns how many runs agreed; throws `output_invalid` where one does not. */
export async function replayPlans(
  manifest: Manifest,
  model: ModelJson,
  folder: string,
  tests: SelfTest[],
): Promise<number> {
  // biome-ignore format: one line
  const plans = (await readPlans(manifest, folder)).map(({ plan }) => plan).filter(({ part }) => part === "run");
  const keys = new Set(plans.map(keyOfStored));
  const keyOfTest = ({ inputs }: SelfTest) => keyOfFeeds("run", inputs);
  const fitting = tests.filter((one) => keys.has(keyOfTest(one)));
  if (fitting.length === 0) return 0;
  const refuse = (detail: string) => {
    const message = `A plan of ${folder} does not compute the recorded outputs: ${detail}. Pack the model again.`;
    return new InsituError("output_invalid", message, { folder });
  };
  let failure = "";
  const openTfjs = async () => {
    throw refuse(failure || "it fails");
  };
  const engine = createPlanEngine(nodeBinaries(), async () => ({ beginRewrite }));
  const onFailure = () => {
    failure = "it fails when it is run";
  };
  const source = sourceOf(manifest, model, folder);
  let session: Session;
  try {
    session = await engine.open(source, { backend: "wasm" }, plans, { openTfjs, onFailure });
  } catch (error) {
    throw isInsituError(error) ? error : refuse(error instanceof Error ? error.message : String(error));
  }
  try {
    for (const { inputs, outputs, tolerance } of fitting) {
      const found = compareOutputs(outputs, (await session.run(inputs)).outputs, tolerance.wasm);
      if (!found.agrees) throw refuse(reasonText(found, "wasm", tolerance.wasm));
    }
  } finally {
    session.dispose();
  }
  return fitting.length;
}
