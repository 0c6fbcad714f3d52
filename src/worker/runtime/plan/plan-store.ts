// Keeps a model's plans between visits, and reads those that come with its package; what does not fit this library or the model is left out.
import { isInsituError } from "../../../shared/errors.js";
import type { Manifest } from "../../../shared/types/manifest.js";
import type { PlanStore } from "../session/engine.js";
import type { TuningCache } from "../tuning/tuning-cache.js";
import { WASM_BINARIES } from "../wasm-binary.js";
import { planReader } from "./plan-reader.js";
import { keyOfStored, PLAN_FORMAT, type StoredPlan } from "./stored-plan.js";

/** The kind of the note that holds them. */
export const PLANS = "plans";

/** The calls of a plan are those of one version of tfjs's kernels, which its binary stands for. */
export const PLAN_BINARY = WASM_BINARIES["tfjs-backend-wasm-simd.wasm"].sha256;

/** What is stored was checked before, and the row's hash is checked when it is read. */
interface Row {
  format: number;
  binary: string;
  /** Plans that were made here. */
  own: StoredPlan[];
  /** Plans of the package that passed the checks; absent where nobody has read them. */
  shipped?: StoredPlan[];
  /** Which steps the library's own kernels compute. */
  kernels?: unknown;
}

export interface PlanStoreDeps {
  notes: TuningCache;
  manifest: Manifest;
  /** The texts of the package's plans, with their addresses. Rejects where they cannot be read. */
  packaged: () => Promise<{ text: string; where: string }[]>;
}

export function createPlanStore({ notes, manifest, packaged }: PlanStoreDeps): PlanStore {
  let known: Promise<Row> | undefined;
  const row = () => {
    known ??= readRow(notes);
    return known;
  };
  const write = async (changed: Row) => {
    known = Promise.resolve(changed);
    await notes.write(PLANS, changed);
  };
  return {
    async read() {
      const { own, shipped } = await row();
      const given = shipped ?? (await readShipped(manifest, packaged));
      // The next visit reads and checks them no more.
      if (!shipped && given.length > 0) void write({ ...(await row()), shipped: given });
      return [...new Map([...given, ...own].map((plan) => [keyOfStored(plan), plan])).values()];
    },
    own: async () => (await row()).own,
    // What was chosen was for the plans of before.
    write: async (plans) => write({ ...(await row()), own: plans, kernels: undefined }),
    refuse: async () => write({ ...(await row()), own: [], shipped: [], kernels: undefined }),
    kernels: async () => (await row()).kernels,
    keepKernels: async (kernels) => write({ ...(await row()), kernels }),
  };
}

async function readRow(notes: TuningCache): Promise<Row> {
  const found = (await notes.read(PLANS)) as Partial<Row> | undefined;
  const isOurs = found?.format === PLAN_FORMAT && found.binary === PLAN_BINARY && Array.isArray(found.own);
  return isOurs ? (found as Row) : { format: PLAN_FORMAT, binary: PLAN_BINARY, own: [] };
}

/** Those that can be used: predictions work without the others. Rejects with `model_integrity` for a file that is not what its manifest says. */
async function readShipped(manifest: Manifest, packaged: PlanStoreDeps["packaged"]): Promise<StoredPlan[]> {
  try {
    const texts = await packaged();
    if (texts.length === 0) return [];
    const { readPlan, checkPlan } = await planReader();
    const matrices = new Map();
    return texts.flatMap(({ text, where }) => {
      try {
        const plan = readPlan(text, where);
        checkPlan(plan, manifest, where, matrices);
        return plan;
      } catch {
        return [];
      }
    });
  } catch (error) {
    if (isInsituError(error) && error.code === "model_integrity") throw error;
    return [];
  }
}
