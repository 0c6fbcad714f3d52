// How plans on WebGPU are stored, and replayed on tfjs's WebGPU backend.
import { backend } from "@tensorflow/tfjs-core";
import type { Gpu } from "../../gpu-device.js";
import type { NoteCell } from "../../session/engine.js";
import type { KeptForm } from "../kept-plans.js";
import { NoPlanError } from "../steps.js";
import type { DataId, GpuBackend } from "./backend.js";
import { compileShaders } from "./pipelines.js";
import { GpuPlan } from "./plan.js";
import { plansOf, writePlans } from "./plan-row.js";
import { fromStoredGpu, type StoredGpuPlan, toStoredGpu } from "./stored-plan.js";

/** `weights` are the model's by their names. tfjs's WebGPU backend must be the current one where a plan is stored or made. */
export function gpuForm(
  cell: NoteCell,
  { identity, whenLost }: Gpu,
  weights: () => Record<string, DataId>,
): KeptForm<StoredGpuPlan> {
  const current = () => backend() as unknown as GpuBackend;
  return {
    keyOf: ({ key }) => key,
    read: async () => plansOf(await cell.read(), identity),
    write: (plans) => writePlans(cell, identity, plans),
    toStored(part, key, { gpu }) {
      const { tensorMap } = current();
      const names = new Map<GPUBuffer, string>();
      for (const [name, data] of Object.entries(weights())) {
        const { resource } = tensorMap.get(data);
        if (resource instanceof GPUBuffer) names.set(resource, name);
      }
      return gpu && toStoredGpu(part, key, gpu, names);
    },
    async toPlan(stored) {
      const engine = current();
      const all = weights();
      const weight = (name: string, bytes: number) => {
        const data = Object.hasOwn(all, name) ? all[name] : undefined;
        // Small ones may be on the CPU.
        if (data) engine.uploadToGPU(data);
        const resource = data && engine.tensorMap.get(data).resource;
        if (resource instanceof GPUBuffer && resource.size === bytes) return resource;
        throw new NoPlanError(`a stored plan needs a weight ${name} of ${bytes} bytes, which the model does not have`);
      };
      const pipelines = await compileShaders({ device: engine.device, whenLost }, stored.steps.map(({ shader }) => shader)); // biome-ignore format: one line
      return GpuPlan.create(engine.device, fromStoredGpu(stored, pipelines, weight));
    },
  };
}
