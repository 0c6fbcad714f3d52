// Keeps a model's plans between visits, and reads those that come with its package; what does not fit this library or the model is left out.
import { isInsituError } from "../../../shared/errors.js";
import type { Manifest } from "../../../shared/types/manifest.js";
import type { PlanStore } from "../session/engine.js";
import type { TuningCache } from "../tuning/tuning-cache.js";
import { WASM_BINARIES } from "../wasm-binary.js";
import { checkPlan, type Matrices } from "./check-plan.js";
import { PLAN_FORMAT, readPlan, writePlan } from "./plan-text.js";
import { keyOfStored, type StoredPlan } from "./stored-plan.js";

/** The kind of the note that holds them. */
export const PLANS = "plans";

/** The calls of a plan are those of one version of tfjs's kernels, which its binary stands for. */
export const PLAN_BINARY = WASM_BINARIES["tfjs-backend-wasm-simd.wasm"].sha256;

interface Row {
  format: number;
  binary: string;
  plans: string[];
}

export interface PlanStoreDeps {
  notes: TuningCache;
  manifest: Manifest;
  /** The texts of the package's plans, with their addresses. Rejects where they cannot be read. */
  packaged: () => Promise<{ text: string; where: string }[]>;
}

export function createPlanStore({ notes, manifest, packaged }: PlanStoreDeps): PlanStore {
  const matrices: Matrices = new Map();
  const parse = (text: string, where: string) => parsed(text, where, manifest, matrices) ?? [];
  const readOwn = async () => {
    const row = (await notes.read(PLANS)) as Partial<Row> | undefined;
    const isOurs = row?.format === PLAN_FORMAT && row.binary === PLAN_BINARY && Array.isArray(row.plans);
    return ((isOurs ? row.plans : []) as string[]).flatMap((text) => parse(text, "a stored plan"));
  };
  let known: Promise<StoredPlan[]> | undefined;
  const own = () => {
    known ??= readOwn();
    return known;
  };
  let given: Promise<StoredPlan[]> | undefined;
  const readGiven = async () => {
    try {
      return (await packaged()).flatMap(({ text, where }) => parse(text, where));
    } catch (error) {
      if (isInsituError(error) && error.code === "model_integrity") throw error;
      return [];
    }
  };
  return {
    async read() {
      given ??= readGiven();
      const [stored, shipped] = [await own(), await given];
      return [...new Map([...shipped, ...stored].map((plan) => [keyOfStored(plan), plan])).values()];
    },
    own,
    async write(plans) {
      known = Promise.resolve(plans);
      const row: Row = { format: PLAN_FORMAT, binary: PLAN_BINARY, plans: plans.map(writePlan) };
      await notes.write(PLANS, row);
    },
  };
}

/** Undefined for a plan that cannot be used. Predictions work without it. */
function parsed(text: string, where: string, manifest: Manifest, matrices: Matrices): StoredPlan | undefined {
  try {
    const plan = readPlan(text, where);
    checkPlan(plan, manifest, where, matrices);
    return plan;
  } catch {
    return undefined;
  }
}
