// The code that reads and checks the plans of a package, which the first visit of a model needs.
import type { Manifest } from "../../../shared/types/manifest.js";
import { lateCode } from "../../lib/late-code.js";
import type { Matrices } from "./check-plan.js";
import type { StoredPlan } from "./stored-plan.js";

export interface PlanReader {
  readPlan(text: string, where: string): StoredPlan;
  checkPlan(plan: StoredPlan, manifest: Manifest, where: string, matrices: Matrices): void;
}

export const planReader = lateCode<PlanReader>();
