// The library's own kernels, which compute steps of plans where they were measured to be faster than tfjs's. Their code is a file of its own.
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import { lateCode } from "../../lib/late-code.js";
import type { SelfTest } from "../../package/self-test-files.js";
import type { PlanStore } from "../session/engine.js";
import type { Plan } from "./plan.js";
import type { Binary } from "./start-binary.js";
import type { Part } from "./steps.js";

/** Of the plans in one memory. */
export interface StepKernels<P = Plan> {
  readonly info: Pick<PlanInfo, "kernels">;
  /** True while plans that are used were not measured. */
  readonly isWanted: boolean;
  /** Replaces the steps of a new plan for which they were chosen at an earlier visit. */
  adopt(key: string, plan: P): void;
  /** The plan has computed these inputs. */
  used(key: string, plan: P, part: Part, feeds: Record<string, TensorData>): void;
  /** Takes the next step of measuring, as long as a run or two. Calls must not overlap with runs. Rejects with what traps. */
  advance(selfTests: () => Promise<SelfTest[]>): Promise<void>;
}

export interface StepKernelsDeps {
  binary: Binary;
  /** Keeps which steps they compute. */
  store: PlanStore;
  /** Of the model's outputs, in their order. */
  outputs: string[];
}

export interface KernelCode {
  /** Rejects where the browser cannot run them. */
  createStepKernels(deps: StepKernelsDeps): Promise<StepKernels>;
}

export const kernelCode = lateCode<KernelCode>();

/** A function of one instruction of relaxed SIMD, the multiplication that adds. */
const RELAXED =
  "\0asm\x01\0\0\0\x01\x08\x01\x60\x03\x7b\x7b\x7b\x01\x7b\x03\x02\x01\0\x0a\x0d\x01\x0b\0\x20\0\x20\x01\x20\x02\xfd\x85\x02\x0b";

export const hasOwnKernels = (): boolean =>
  WebAssembly.validate(Uint8Array.from(RELAXED, (character) => character.charCodeAt(0)));
