// Opens models whose plans are known: starts the wasm binary, puts the weights into its memory, and replays.

import { once } from "../../lib/once.js";
import type { Rewriting } from "../graph/prepare.js";
import type { Constant } from "../graph/types.js";
import type { WeightValues } from "../read-weights.js";
import type { ModelSource, Session, Target } from "../session/engine.js";
import { binaryFor, type WasmBinaries, type WasmBinary } from "../wasm-binary.js";
import { hasOwnKernels, kernelCode } from "./own-kernels.js";
import { Plan, planBytes } from "./plan.js";
import { PlanSession, type PlanSessionDeps } from "./plan-session.js";
import { neededBy, readPlanWeights } from "./plan-weights.js";
import { type Binary, startBinary } from "./start-binary.js";
import { NoPlanError } from "./steps.js";
import { fromStored, keyOfStored, type StoredPlan, type StoredTensor, type Weight } from "./stored-plan.js";
import { threadedStart } from "./threaded-start.js";
import { bytesPerElement, FIRST_ID, viewOf } from "./wasm-module.js";

export type PlanHooks = Pick<PlanSessionDeps, "openTfjs" | "onFailure">;

export interface PlanEngine {
  /** Compiles the binary, so that `open` need not wait for it. */
  start(threads: number): Promise<void>;
  /**
   * Opens a model on its plans, each of which was checked. Each model has a memory of its own: what a plan does wrong reaches no other
   * model. Throws `NoPlanError` where the plans do not fit the model; what reading the weights throws; a `RangeError` where there is no memory.
   */
  open(source: ModelSource, target: Target, plans: StoredPlan[], hooks: PlanHooks): Promise<Session>;
  /** Bytes of all memories. */
  heldBytes(): number;
  /** Bytes of weights and plans in them. */
  usedBytes(): number;
}

/** `rewriting` loads the code that rewrites a graph, for a model that is opened for the first time. */
export function createPlanEngine(binaries: WasmBinaries, rewriting: () => Promise<Rewriting>): PlanEngine {
  const compiled = new Map<WasmBinary, () => Promise<WebAssembly.Module>>();
  const open = new Map<Binary, number>();
  const compile = (threads: number) => {
    const name = binaryFor(threads);
    const load = compiled.get(name) ?? once(async () => WebAssembly.compile(await binaries.bytes(name)));
    compiled.set(name, load);
    return load();
  };
  /** Without SIMD there is no binary with threads. */
  const begin = async (threads: number) =>
    binaryFor(threads) === binaryFor(1)
      ? startBinary(await compile(1))
      : (await threadedStart()).startThreads(await compile(threads), threads);
  return {
    async start(threads) {
      await compile(threads);
    },
    async open(source, target, stored, hooks) {
      const binary = await begin(target.threads ?? 1);
      const names = { run: source.outputs.map(({ name }) => name), embed: ["embedding"] };
      const store = source.plans;
      const kernels =
        store && binaryFor(target.threads ?? 1) === binaryFor(1) && hasOwnKernels()
          ? async () => (await kernelCode()).createStepKernels({ binary, store, outputs: names.run })
          : undefined;
      const known = (await store?.kernels()) ? kernels?.().catch(() => undefined) : undefined;
      const weights = await loadWeights(source, binary, neededBy(stored), rewriting).catch((error: unknown) => {
        binary.end();
        throw error;
      });
      open.set(binary, weights.bytes);
      const made: Plan[] = [];
      const make = planMaker(binary, weights, made);
      return new PlanSession({
        target,
        make: new Map(stored.map((plan) => [keyOfStored(plan), () => make(plan)])),
        // A batch takes as long as its items one by one.
        isForItems: true,
        takeFailure: () => binary.takeFailure(),
        names,
        kernels,
        knownKernels: await known,
        ...hooks,
        onEnd() {
          for (const plan of made) plan.abandon();
          open.delete(binary);
          binary.end();
        },
      });
    },
    heldBytes: () => [...open.keys()].reduce((sum, { heldBytes }) => sum + heldBytes, 0),
    usedBytes: () => [...open.values()].reduce((sum, bytes) => sum + bytes, planBytes()),
  };
}

/** Makes the plans of one memory, and adds them to `made`. */
function planMaker(binary: Binary, weights: LoadedWeights, made: Plan[]): (stored: StoredPlan) => Plan {
  // Above those of the weights.
  let nextId = FIRST_ID + 2 ** 20;
  return (stored) => {
    const recording = fromStored(stored, () => nextId++, weights.get);
    const plan = new Plan(binary, recording);
    made.push(plan);
    return plan;
  };
}

interface LoadedWeights {
  bytes: number;
  /** Throws `NoPlanError` where the model has no such weight of this size and type. */
  get(name: string, tensor: StoredTensor): Weight;
}

/** Puts the weights that are needed into the binary's memory, and registers each. */
async function loadWeights(
  source: ModelSource,
  binary: Binary,
  needed: Set<string>,
  rewriting: () => Promise<Rewriting>,
): Promise<LoadedWeights> {
  const weights = new Map<string, Weight & { size: number; dtype: string }>();
  let bytes = 0;
  const reserve = (name: string, dtype: Constant["dtype"], size: number) => {
    const byteLength = size * bytesPerElement(dtype);
    const address = binary._malloc(Math.max(1, byteLength));
    const id = FIRST_ID + weights.size;
    binary.tfjs.registerTensor(id, size, address);
    weights.set(name, { id, address, size, dtype });
    bytes += byteLength;
    return () => viewOf(binary, dtype, address, size) as WeightValues;
  };
  await readPlanWeights(source, needed, rewriting, {
    reserve,
    add: (name, dtype, data) => reserve(name, dtype, data.length)().set(data),
  });
  return {
    bytes,
    get(name, { size, dtype }) {
      const weight = weights.get(name);
      if (weight?.size === size && weight.dtype === dtype) return weight;
      throw new NoPlanError(`the plan needs a weight ${name} of ${size} ${dtype}, which the model does not have`);
    },
  };
}
