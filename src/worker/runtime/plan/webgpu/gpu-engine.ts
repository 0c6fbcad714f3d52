// Opens models whose plans on WebGPU are stored: on a device of its own, without tfjs.
import { isInsituError } from "../../../../shared/errors.js";
import { deviceLost, type Gpu, openGpu, takeGpuFailure, throwIfLost } from "../../gpu-device.js";
import type { Rewriting } from "../../graph/prepare.js";
import type { ModelSource, Session, Target } from "../../session/engine.js";
import { PlanSession, type PlanSessionDeps } from "../plan-session.js";
import { neededBy, readPlanWeights, type WeightMemory } from "../plan-weights.js";
import { NoPlanError } from "../steps.js";
import { toGpuArray } from "./backend.js";
import { compileShaders } from "./pipelines.js";
import { GpuPlan } from "./plan.js";
import { plansOf } from "./plan-row.js";
import { fromStoredGpu, type StoredGpuPlan } from "./stored-plan.js";

export type GpuPlanHooks = Pick<PlanSessionDeps, "openTfjs" | "onFailure">;

export interface GpuEngine {
  /** Opens the device, so that `open` need not wait for it. */
  start(): Promise<void>;
  /**
   * Opens a model on the plans in what was stored. Undefined where none fits the model, this library and the adapter: then tfjs makes plans
   * anew. Otherwise rejects with what reading the weights throws, and where there is no device or it is lost.
   */
  open(source: ModelSource, target: Target, row: unknown, hooks: GpuPlanHooks): Promise<Session | undefined>;
}

/** After which a model's plans are made anew. */
const MAX_LOSSES = 2;

/** `rewriting` loads the code that rewrites a graph, which is not needed where the rewritten graph is stored too. */
export function createGpuEngine(rewriting: () => Promise<Rewriting>): GpuEngine {
  const device = new SharedDevice();
  const losses = new WeakMap<ModelSource["model"], number>();
  /** What makes the driver give up once may do so at each visit. */
  const onLost = ({ model, gpuPlans }: ModelSource) => {
    const count = (losses.get(model) ?? 0) + 1;
    losses.set(model, count);
    if (count >= MAX_LOSSES) void gpuPlans?.write(undefined);
  };
  return {
    async start() {
      await device.open();
    },
    async open(source, target, row, hooks) {
      const gpu = await device.hold();
      const plans = plansOf(row, gpu.identity);
      try {
        const model = await watch(gpu, () => openModel(gpu, source, plans, rewriting));
        const names = { run: source.outputs.map(({ name }) => name), embed: ["embedding"] };
        return new PlanSession({
          target,
          make: model.make,
          isForItems: false,
          takeFailure: () => takeGpuFailure(gpu),
          watch: (replay) =>
            watch(gpu, replay).catch((error: unknown) => {
              if (gpu.lost !== undefined) onLost(source);
              throw error;
            }),
          names,
          ...hooks,
          onEnd() {
            model.free();
            device.release(gpu);
          },
        });
      } catch (error) {
        device.release(gpu);
        if (!(error instanceof NoPlanError)) throw error;
        await source.gpuPlans?.write(undefined);
        return undefined;
      }
    },
  };
}

/** One device for all models. It is given up with the last of them, and opened anew once it is lost. */
class SharedDevice {
  #opening: Promise<Gpu> | undefined;
  #gpu: Gpu | undefined;
  #holders = 0;

  open(): Promise<Gpu> {
    if (this.#opening && this.#gpu?.lost === undefined) return this.#opening;
    this.#gpu = undefined;
    this.#holders = 0;
    const opening = openGpu();
    this.#opening = opening;
    opening.then(
      (gpu) => {
        this.#gpu = gpu;
      },
      () => {
        this.#opening = undefined;
      },
    );
    return opening;
  }

  async hold(): Promise<Gpu> {
    const gpu = await this.open();
    if (gpu === this.#gpu) this.#holders += 1;
    return gpu;
  }

  /** Once for each `hold`. */
  release(gpu: Gpu): void {
    // Those of a device that was lost do not count.
    if (gpu !== this.#gpu) return;
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#opening = undefined;
    this.#gpu = undefined;
    gpu.device.destroy();
  }
}

/** Rejects with `device_lost` where the device is lost meanwhile, whatever the job throws then. With a lost device it may never settle. */
async function watch<T>({ lost, whenLost }: Gpu, job: () => Promise<T>): Promise<T> {
  if (lost !== undefined) throw deviceLost(lost);
  try {
    return await Promise.race([job(), whenLost]);
  } catch (error) {
    if (!isInsituError(error)) await throwIfLost(whenLost);
    throw error;
  }
}

interface PlannedModel {
  /** By key. */
  make: Map<string, () => Promise<GpuPlan>>;
  free(): void;
}

async function openModel(
  gpu: Gpu,
  source: ModelSource,
  plans: StoredGpuPlan[],
  rewriting: () => Promise<Rewriting>,
): Promise<PlannedModel> {
  const { device } = gpu;
  const first = smallest(plans.filter(({ part }) => part === "run"));
  if (!first) throw new NoPlanError("no stored plan fits this library and this adapter");
  const buffers = new Map<string, GPUBuffer>();
  const made: GpuPlan[] = [];
  const free = () => {
    for (const plan of made) plan.dispose();
    for (const buffer of buffers.values()) buffer.destroy();
  };
  const weight = (name: string, bytes: number) => {
    const buffer = buffers.get(name);
    if (buffer?.size === bytes) return buffer;
    throw new NoPlanError(`a stored plan needs a weight ${name} of ${bytes} bytes, which the model does not have`);
  };
  const compile = ({ steps }: StoredGpuPlan) => compileShaders(gpu, steps.map(({ shader }) => shader)); // biome-ignore format: one line
  const make = async (plan: StoredGpuPlan) => {
    const ready = await GpuPlan.create(device, fromStoredGpu(plan, await compile(plan), weight));
    made.push(ready);
    return ready;
  };
  // While the weights are read.
  compile(first).catch(() => undefined);
  try {
    const add: WeightMemory["add"] = (name, dtype, data) => {
      const values = dtype === "bool" ? toGpuArray(data, dtype) : data;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
      const buffer = device.createBuffer({ label: LABEL, size: values.byteLength, usage });
      buffers.set(name, buffer);
      device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
    };
    await readPlanWeights(source, neededBy(plans), rewriting, { add });
    const ready = await make(first);
    const failure = takeGpuFailure(gpu);
    if (failure) throw new NoPlanError(failure);
    const makers = plans.map((plan) => [plan.key, plan === first ? async () => ready : () => make(plan)] as const);
    return { make: new Map(makers), free };
  } catch (error) {
    free();
    throw error;
  }
}

/** What the weights' buffers are called in the browser's tools. */
const LABEL = "insitu weight";

/** That of a single item, which most predictions are. */
const smallest = (plans: StoredGpuPlan[]): StoredGpuPlan | undefined =>
  plans.toSorted((a, b) => inputBytes(a) - inputBytes(b))[0];

const inputBytes = ({ inputs, tensors }: StoredGpuPlan): number =>
  inputs.reduce((sum, { tensor }) => sum + (tensors[tensor]?.bytes ?? 0), 0);
