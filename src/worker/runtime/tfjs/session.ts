// One model on one backend of tfjs: feeds to tensors, a run, outputs back to plain data, and what went wrong told by a code.
import { mean, type NamedTensorMap, reshape, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { asInsituError, InsituError, isInsituError } from "../../../shared/errors.js";
import type { DType, TensorData, TypedArray } from "../../../shared/types/tensor.js";
import type { PictureFeed } from "../image.js";
import type { ModelSource, RunResult, Session, Target } from "../session/engine.js";
import type { Running } from "./backends.js";
import { type OnGpu, toGpu } from "./image.js";

export interface SessionDeps {
  source: ModelSource;
  target: Target;
  running: Running;
  execute: (feeds: NamedTensorMap) => Promise<Tensor[]>;
  /** One tensor, its first size the batch; undefined where the model has no such node. */
  embed?: (feeds: NamedTensorMap) => Promise<Tensor>;
  /** Frees the model's own tensors. */
  free: () => void;
}

export function createSession(parts: SessionDeps): Session {
  const { target, running, free } = parts;
  let open = true;
  const release = running.hold();
  const guarded = async (start: () => Promise<RunResult>): Promise<RunResult> => {
    if (!open) throw new InsituError("disposed", "The model was disposed.");
    return guardedRun(running, target, start);
  };
  const { execute, source } = parts;
  const names = source.outputs.map(({ name }) => name);
  return {
    target,
    run: (feeds) => guarded(() => run(parts, names, execute, feeds)),
    embed: (feeds) => guarded(() => run(parts, ["embedding"], embedder(parts), feeds)),
    dispose() {
      if (!open) return;
      open = false;
      try {
        free();
      } catch {
        // The memory of a dead device is gone already.
      }
      release();
    },
  };
}

/** Runs something on the backend; what goes wrong is told by a code. */
export async function guardedRun<T>(running: Running, target: Target, start: () => Promise<T>): Promise<T> {
  try {
    await running.use();
    const ran = start();
    // A dead GPU may leave a read-back waiting.
    return await (running.whenLost ? Promise.race([ran, running.whenLost]) : ran);
  } catch (error) {
    if (!isInsituError(error)) await endIfLost(running);
    throw told(error, target);
  }
}

// A read-back fails at once, the news of the loss comes some milliseconds later.
const NEWS_MS = 500;

/** tfjs answers a dead device with misleading errors, such as "createBuffer failed, size is too large". Throws `device_lost`. */
async function endIfLost({ whenLost }: Running): Promise<void> {
  if (whenLost) await Promise.race([whenLost, new Promise((resolve) => setTimeout(resolve, NEWS_MS))]);
}

function embedder({ source, embed }: SessionDeps): SessionDeps["execute"] {
  const { node, pool } = source.embedding ?? { node: "", pool: "none" };
  if (!embed) {
    const message = `The model has no node ${node} to learn on. Name one as the manifest's embedding, and pack the model again.`;
    throw new InsituError("model_format", message, { field: "embedding", node });
  }
  return async (feeds) => {
    const found = await embed(feeds);
    // Where there is a height and a width; the first size is the batch.
    const isMap = pool === "mean" && found.rank === 4;
    const pooled = tidy(() => reshape(isMap ? mean(found, [1, 2]) : found, [found.shape[0] ?? 1, -1]));
    found.dispose();
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
      const { picture } = feed as PictureFeed;
      const onGpu = picture && target.backend === "webgpu" ? await toGpu(picture, feed.shape) : undefined;
      if (onGpu) drawn.push(onGpu);
      inputs[name] = onGpu?.tensor ?? tensor(feed.data, feed.shape, feed.dtype);
    }
    results = await execute(inputs);
    const executed = performance.now();
    const data = await Promise.all(results.map((result) => result.data()));
    const outputs: Record<string, TensorData> = {};
    for (const [index, name] of names.entries()) {
      const result = results[index];
      if (!result) throw new InsituError("model_format", `The model has no output named ${name}.`, { output: name });
      outputs[name] = {
        // cpu answers with the tensor's own memory, which may be a weight's: what leaves is always a copy.
        data: (data[index] as TypedArray).slice() as TypedArray,
        shape: result.shape.slice(),
        dtype: result.dtype as DType,
      };
    }
    return { outputs, executeMs: executed - started, readbackMs: performance.now() - executed };
  } finally {
    for (const input of Object.values(inputs)) input.dispose();
    for (const result of results) result.dispose();
    for (const { free } of drawn) free();
  }
}

// "Array buffer allocation failed", "Invalid array buffer length", "Cannot enlarge memory arrays", emscripten's "abort(OOM)".
const NO_MEMORY = /out of memory|OOM|allocation failed|array (buffer )?length|enlarge memory|createBuffer failed/i;

function told(error: unknown, target: Target): InsituError {
  const message = error instanceof Error ? error.message : String(error);
  if (NO_MEMORY.test(message)) {
    const advice = "Use a smaller batch, a smaller model, or close other pages";
    return new InsituError(
      "out_of_memory",
      `${target.backend} had no memory for a run: ${message}. ${advice}.`,
      { ...target },
      { cause: error },
    );
  }
  // A trap leaves the module's memory in an unknown state.
  if (typeof WebAssembly !== "undefined" && error instanceof WebAssembly.RuntimeError) {
    return new InsituError("device_lost", `wasm trapped: ${message}. Predict again.`, { ...target }, { cause: error });
  }
  return asInsituError(error, "unknown", `${target.backend} could not run the model`);
}
