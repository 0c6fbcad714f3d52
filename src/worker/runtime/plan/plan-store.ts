// Keeps a model's plans between visits, and reads those that come with its package; what does not fit this library or the model is left out.
import type { Manifest } from "../../../shared/types/manifest.js";
import type { PlanStore } from "../session/engine.js";
import type { TuningCache } from "../tuning/tuning-cache.js";
import { WASM_BINARIES } from "../wasm-binary.js";
import { planReader } from "./plan-reader.js";
import { PLAN_FORMAT, type StoredPlan } from "./stored-plan.js";

/** The kind of the note that holds them. */
export const PLANS = "plans";

/** The calls of a plan are those of one version of tfjs's kernels, which its binary stands for. */
export const PLAN_BINARY = WASM_BINARIES["tfjs-backend-wasm-simd.wasm"].sha256;

interface Row {
  format: number;
  binary: string;
  /** Each was checked before it was stored, and the row's hash is checked when it is read. */
  plans: StoredPlan[];
}

export interface PlanStoreDeps {
  notes: TuningCache;
  manifest: Manifest;
  /** The texts of the package's plans, with their addresses. Rejects where they cannot be read. */
  packaged: () => Promise<{ text: string; where: string }[]>;
}

export function createPlanStore({ notes, manifest, packaged }: PlanStoreDeps): PlanStore {
  let known: Promise<StoredPlan[]> | undefined;
  const read = async () => {
    const row = (await notes.read(PLANS)) as Partial<Row> | undefined;
    if (row?.format === PLAN_FORMAT && row.binary === PLAN_BINARY && Array.isArray(row.plans)) return row.plans;
    return readPackaged(manifest, packaged).catch(() => []);
  };
  return {
    read() {
      known ??= read();
      return known;
    },
    async write(plans) {
      known = Promise.resolve(plans);
      const row: Row = { format: PLAN_FORMAT, binary: PLAN_BINARY, plans };
      await notes.write(PLANS, row);
    },
  };
}

/** Those that can be used: predictions work without the others. */
async function readPackaged(manifest: Manifest, packaged: PlanStoreDeps["packaged"]): Promise<StoredPlan[]> {
  const texts = await packaged();
  if (texts.length === 0) return [];
  const { readPlan, checkPlan } = await planReader();
  return texts.flatMap(({ text, where }) => {
    try {
      const plan = readPlan(text, where);
      checkPlan(plan, manifest, where);
      return plan;
    } catch {
      return [];
    }
  });
}
