// The worker's engine: a model that has plans runs on the wasm binary alone; everything else runs on tfjs, which is loaded when it is wanted.
import { once } from "../lib/once.js";
import type { Rewriting } from "./graph/prepare.js";
import { createPlanEngine } from "./plan/plan-engine.js";
import { NoPlanError } from "./plan/steps.js";
import { probe } from "./probe.js";
import type { Engine, ModelSource, Session, Target } from "./session/engine.js";
import { isTrap } from "./session/run-errors.js";
import type { WasmBinaries } from "./wasm-binary.js";

export interface EngineFiles {
  binaries: WasmBinaries;
  /** Loads tfjs's engine. Called until it succeeds once. */
  loadTfjs: () => Promise<Engine>;
  /** Loads the code that rewrites graphs. */
  loadRewriting: () => Promise<Rewriting>;
}

export function createEngine({ binaries, loadTfjs, loadRewriting }: EngineFiles): Engine {
  const planned = createPlanEngine(binaries, loadRewriting);
  let tfjs: Engine | undefined;
  const withTfjs = once(async () => {
    tfjs = await loadTfjs();
    return tfjs;
  });
  /** Models of which a plan has failed in this worker, and why. */
  const failed = new WeakMap<ModelSource["model"], string>();
  const openTfjs = async (source: ModelSource, target: Target) =>
    (await withTfjs()).open({ ...source, noPlans: failed.get(source.model) }, target);

  async function openPlanned(source: ModelSource, target: Target): Promise<Session | undefined> {
    const { model } = source;
    if (target.backend !== "wasm" || failed.has(model)) return undefined;
    const stored = (await source.plans?.read()) ?? [];
    if (!stored.some(({ part }) => part === "run")) return undefined;
    const onFailure = (reason: string) => {
      failed.set(model, reason);
      void source.plans?.refuse();
    };
    try {
      return await planned.open(source, target, stored, { openTfjs: () => openTfjs(source, target), onFailure });
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
      else await (await withTfjs()).start(target, isPlanned);
    },
    stop: (target) => tfjs?.stop(target),
    lease: async (target) => (await withTfjs()).lease(target),
    async open(source, target) {
      return (await openPlanned(source, target)) ?? openTfjs(source, target);
    },
  };
}
