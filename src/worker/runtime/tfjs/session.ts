// One model on one tfjs backend: feeds to tensors, a run, outputs back to plain data, failures as typed errors.
import { mean, type NamedTensorMap, reshape, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { InsituError, isInsituError } from "../../../shared/errors.js";
import type { DType, TensorData, TypedArray } from "../../../shared/types/tensor.js";
import { throwIfLost } from "../gpu-device.js";
import type { ImageFeed } from "../image.js";
import { type KeptPlans, keepPlans } from "../plan/kept-plans.js";
import { wasmForm } from "../plan/kept-wasm.js";
import { PLAN_MAKERS } from "../plan/plan-makers.js";
import { MAX_PLANS, SessionPlans } from "../plan/session-plans.js";
import type { Part } from "../plan/steps.js";
import { gpuForm } from "../plan/webgpu/kept-gpu.js";
import type { ModelSource, RunResult, Session, Target } from "../session/engine.js";
import { toInsituError } from "../session/run-errors.js";
import type { RunningBackend } from "./backends.js";
import { type OnGpu, toGpu } from "./image.js";

/** Models whose plan trapped in this worker, and why: they get none again. */
const trapped = new WeakMap<object, string>();

export interface SessionDeps {
  source: ModelSource;
  target: Target;
  running: RunningBackend;
  execute: (feeds: NamedTensorMap) => Promise<Tensor[]>;
  /** Returns one tensor whose first dimension is the batch; undefined where the model has no such node. */
  embed?: (feeds: NamedTensorMap) => Promise<Tensor>;
  /** Why runs cannot be recorded, where the graph tells. */
  noPlan?: string;
  /** The model's weights by the names that stored plans use; absent where they have none. */
  weights?: () => NamedTensorMap;
  /** Frees the model's own tensors. */
  free: () => void;
}

export function createSession(deps: SessionDeps): Session {
  const { target, running, free } = deps;
  let isOpen = true;
  let lost: InsituError | undefined;
  const plans = openPlans(deps);
  const release = running.hold();
  const guarded = async <T>(start: () => Promise<T>): Promise<T> => {
    if (!isOpen) throw new InsituError("disposed", "The model was disposed.");
    if (lost) throw lost;
    try {
      return await guardedRun(running, target, start);
    } catch (error) {
      // What trapped need not be a prediction; the next one must not run on what is left.
      if (isInsituError(error) && error.code === "device_lost") lost = error;
      throw error;
    }
  };
  const names = { run: deps.source.outputs.map(({ name }) => name), embed: ["embedding"] };
  const execute = executors(deps);
  const compute = async (part: Part, feeds: Record<string, TensorData>) => {
    const replayed = plans && (await replay(plans, part, names[part], feeds));
    if (replayed) return replayed;
    const result = await run(deps, names[part], execute[part], feeds);
    plans?.count(part, feeds);
    return result;
  };
  return {
    target,
    plans: plans && {
      get info() {
        return plans.info;
      },
      get isWanted() {
        return plans.isWanted;
      },
      advance: (selfTests) => guarded(() => plans.advance(selfTests)),
    },
    run: (feeds) => guarded(() => compute("run", feeds)),
    embed: (feeds) => guarded(() => compute("embed", feeds)),
    dispose() {
      if (!isOpen) return;
      isOpen = false;
      plans?.dispose();
      freed(free);
      release();
    },
  };
}

/** The embedding's is made at each use: it throws where the model has none. */
function executors(deps: SessionDeps): Record<Part, SessionDeps["execute"]> {
  return { run: deps.execute, embed: async (feeds) => embedder(deps)(feeds) };
}

/** Undefined where the backend has no plans. */
function openPlans(deps: SessionDeps): SessionPlans | undefined {
  const { source, target, running, noPlan } = deps;
  const make = PLAN_MAKERS[target.backend];
  if (!make) return undefined;
  return new SessionPlans({
    make,
    execute: executors(deps),
    takeFailure: running.takeFailure,
    throwIfLost: async () => running.gpu && throwIfLost(running.gpu.whenLost),
    refused: noPlan ?? source.noPlans ?? trapped.get(source.model),
    onTrap: (reason) => trapped.set(source.model, reason),
    kept: keptPlans(deps),
  });
}

/** Undefined where plans cannot be stored. */
function keptPlans({ source, target, running, weights }: SessionDeps): KeptPlans | undefined {
  if (!weights) return undefined;
  const dataIds = () => Object.fromEntries(Object.entries(weights()).map(([name, { dataId }]) => [name, dataId]));
  const { plans, gpuPlans } = source;
  const { gpu } = running;
  if (target.backend === "wasm") return plans && keepPlans(wasmForm(plans, dataIds), MAX_PLANS);
  return gpu && gpuPlans && keepPlans(gpuForm(gpuPlans, gpu, dataIds), MAX_PLANS);
}

async function replay(
  plans: SessionPlans,
  part: Part,
  names: string[],
  feeds: Record<string, TensorData>,
): Promise<RunResult | undefined> {
  const started = performance.now();
  const replayed = await plans.replay(part, feeds);
  if (!replayed) return undefined;
  const { executedAt } = replayed;
  const outputs = Object.fromEntries(replayed.outputs.map((output, index) => [names[index] as string, output]));
  return { outputs, executeMs: executedAt - started, readbackMs: performance.now() - executedAt };
}

/** Runs a step on the backend. Rejects with an `InsituError`, whatever went wrong. */
export async function guardedRun<T>(running: RunningBackend, target: Target, start: () => Promise<T>): Promise<T> {
  try {
    await running.use();
    running.takeFailure();
    const result = start();
    // With a lost device a read-back may never settle.
    const value = await (running.gpu ? Promise.race([result, running.gpu.whenLost]) : result);
    const failure = running.takeFailure();
    if (failure) throw new Error(failure);
    return value;
  } catch (error) {
    if (!isInsituError(error) && running.gpu) await throwIfLost(running.gpu.whenLost);
    // A kernel that found no memory may trap later, on what it left.
    const failure = running.takeFailure();
    throw toInsituError(failure ? new Error(failure, { cause: error }) : error, target);
  }
}

function embedder({ source, embed }: SessionDeps): SessionDeps["execute"] {
  const { node, pool } = source.embedding ?? { node: "", pool: "none" };
  if (!embed) {
    const message = `The model has no node ${node}, which its manifest names as the embedding. Name an existing node and pack the model again.`;
    throw new InsituError("model_format", message, { field: "embedding", node });
  }
  return async (feeds) => {
    const features = await embed(feeds);
    // A feature map of shape [batch, height, width, channels].
    const isMap = pool === "mean" && features.rank === 4;
    const pooled = tidy(() => reshape(isMap ? mean(features, [1, 2]) : features, [features.shape[0] ?? 1, -1]));
    features.dispose();
    return [pooled];
  };
}

async function run(
  { target }: SessionDeps,
  names: string[],
  execute: SessionDeps["execute"],
  feeds: Record<string, TensorData>,
): Promise<RunResult> {
  const started = performance.now();
  const inputs: NamedTensorMap = {};
  let results: Tensor[] = [];
  const drawn: OnGpu[] = [];
  try {
    for (const [name, feed] of Object.entries(feeds)) {
      const { placed, shape, dtype } = feed as ImageFeed;
      const onGpu = placed && target.backend === "webgpu" ? await toGpu(placed, shape, dtype) : undefined;
      if (onGpu) drawn.push(onGpu);
      inputs[name] = onGpu?.tensor ?? tensor(feed.data, shape, dtype);
    }
    results = await execute(inputs);
    const executed = performance.now();
    const data = await Promise.all(results.map((result) => result.data()));
    const outputs: Record<string, TensorData> = {};
    for (const [index, name] of names.entries()) {
      const result = results[index];
      if (!result) throw new InsituError("model_format", `The model has no output named ${name}.`, { output: name });
      outputs[name] = {
        data: copyAs(result.dtype as DType, data[index] as TypedArray),
        shape: result.shape.slice(),
        dtype: result.dtype as DType,
      };
    }
    return { outputs, executeMs: executed - started, readbackMs: performance.now() - executed };
  } finally {
    for (const one of [...Object.values(inputs), ...results]) freed(() => one.dispose());
    for (const { free } of drawn) freed(free);
  }
}

/** Where memory is broken, freeing it fails too; the error of the run says more. */
function freed(free: () => void): void {
  try {
    free();
  } catch {
    // The backend is closed with all its memory.
  }
}

/**
 * A copy, since on cpu `data()` returns the tensor's own memory, which may be a weight's; in the array of its dtype, which on cpu it
 * need not have: its Cast to float32 leaves an Int32Array.
 */
function copyAs(dtype: DType, data: TypedArray): TypedArray {
  if (dtype === "float32") return new Float32Array(data);
  return dtype === "int32" ? new Int32Array(data) : new Uint8Array(data);
}
