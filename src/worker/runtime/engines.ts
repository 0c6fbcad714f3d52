// The worker's engine: a model that has plans runs on the wasm binary or the GPU alone; everything else runs on tfjs, which is loaded when it is wanted.
import type { Backend } from "../../shared/types/tensor.js";
import { once } from "../lib/once.js";
import type { Rewriting } from "./graph/prepare.js";
import { createPlanEngine } from "./plan/plan-engine.js";
import { NoPlanError } from "./plan/steps.js";
import type { GpuEngine } from "./plan/webgpu/gpu-engine.js";
import { probe } from "./probe.js";
import type { Engine, ModelSource, Session, Target } from "./session/engine.js";
import { isTrap } from "./session/run-errors.js";
import type { WasmBinaries } from "./wasm-binary.js";

export interface EngineFiles {
  binaries: WasmBinaries;
  /** Loads tfjs's engine. Called until it succeeds once. */
  loadTfjs: () => Promise<Engine>;
  /** Loads the engine of plans on WebGPU. Called until it succeeds once. */
  loadGpu: () => Promise<GpuEngine>;
  /** Loads the code that rewrites graphs. */
  loadRewriting: () => Promise<Rewriting>;
}

/** Models of which a plan has failed in this worker, and why. */
type Failed = WeakMap<ModelSource["model"], string>;

export function createEngine({ binaries, loadTfjs, loadGpu, loadRewriting }: EngineFiles): Engine {
  const planned = createPlanEngine(binaries, loadRewriting);
  let tfjs: Engine | undefined;
  const withTfjs = once(async () => {
    tfjs = await loadTfjs();
    return tfjs;
  });
  const withGpu = once(loadGpu);
  const failed: Partial<Record<Backend, Failed>> = { wasm: new WeakMap(), webgpu: new WeakMap() };
  const openTfjs = async (source: ModelSource, target: Target) =>
    (await withTfjs()).open({ ...source, noPlans: failed[target.backend]?.get(source.model) }, target);

  async function openPlanned(source: ModelSource, target: Target): Promise<Session | undefined> {
    const { model, plans, gpuPlans } = source;
    const known = failed[target.backend];
    if (!known || known.has(model)) return undefined;
    const isGpu = target.backend === "webgpu";
    const onFailure = (reason: string) => {
      known.set(model, reason);
      void (isGpu ? gpuPlans?.write(undefined) : plans?.refuse());
    };
    const hooks = { openTfjs: () => openTfjs(source, target), onFailure };
    if (isGpu) {
      const row = await gpuPlans?.read();
      if (row === undefined) return undefined;
      // tfjs reports what is wrong with the device, or the weights.
      const open = async () => (await withGpu()).open(source, target, row, hooks);
      return open().catch(() => undefined);
    }
    const stored = (await plans?.read()) ?? [];
    if (!stored.some(({ part }) => part === "run")) return undefined;
    try {
      return await planned.open(source, target, stored, hooks);
    } catch (error) {
      // What tfjs would throw as well is the caller's.
      if (!(error instanceof NoPlanError || error instanceof RangeError || isTrap(error))) throw error;
      onFailure(error.message);
      return undefined;
    }
  }

  return {
    probe,
    memory() {
      const { held, used } = tfjs?.memory() ?? { held: 0, used: 0 };
      return { held: held + planned.heldBytes(), used: used + planned.usedBytes() };
    },
    tensorCount: () => tfjs?.tensorCount() ?? 0,
    async start(target, isPlanned) {
      if (isPlanned && target.backend === "wasm") await planned.start(target.threads ?? 1);
      else if (isPlanned && target.backend === "webgpu") await (await withGpu()).start();
      else await (await withTfjs()).start(target, isPlanned);
    },
    stop: (target) => tfjs?.stop(target),
    lease: async (target) => (await withTfjs()).lease(target),
    async open(source, target) {
      return (await openPlanned(source, target)) ?? openTfjs(source, target);
    },
  };
}
