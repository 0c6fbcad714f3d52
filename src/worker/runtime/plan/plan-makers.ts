// The backends that have plans: how each records a run on tfjs's current backend, and what replays it.
import { backend } from "@tensorflow/tfjs-core";
import type { Backend } from "../../../shared/types/tensor.js";
import { Plan } from "./plan.js";
import type { PlanMaker } from "./plan-maker.js";
import { record } from "./recorder.js";
import type { WasmBackend } from "./wasm-backend.js";
import type { GpuBackend } from "./webgpu/backend.js";
import { GpuPlan } from "./webgpu/plan.js";
import { record as recordGpu } from "./webgpu/recorder.js";

export const PLAN_MAKERS: Partial<Record<Backend, PlanMaker>> = {
  async wasm(inputs, run) {
    const current = backend() as unknown as WasmBackend;
    const wasm = await record(current, inputs, run);
    return { wasm, make: () => new Plan(current.wasm, wasm) };
  },
  async webgpu(inputs, run) {
    const current = backend() as unknown as GpuBackend;
    const gpu = await recordGpu(current, inputs, run);
    return { gpu, make: () => GpuPlan.create(current.device, gpu) };
  },
};
