// One model on one backend of tfjs: feeds to tensors, a run, outputs back to plain data, and what went wrong told by a code.
import { type NamedTensorMap, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { asInsituError, InsituError, isInsituError } from "../errors.js";
import type { DType, TensorData, TypedArray } from "../types.js";
import type { PictureFeed } from "./image.js";
import type { ModelSource, Ran, Session, Target } from "./session.js";
import type { Running } from "./tfjs-backends.js";
import { type OnGpu, toGpu } from "./tfjs-image.js";

export interface SessionParts {
  source: ModelSource;
  target: Target;
  running: Running;
  execute: (feeds: NamedTensorMap) => Promise<Tensor[]>;
  /** Frees the model's own tensors. */
  free: () => void;
}

export function createSession(parts: SessionParts): Session {
  const { target, running, free } = parts;
  let open = true;
  const release = running.hold();
  return {
    target,
    async run(feeds) {
      if (!open) throw new InsituError("aborted", "The model was disposed.", { reason: "disposed" });
      try {
        await running.use();
        const ran = run(parts, feeds);
        // A dead GPU may leave a read-back waiting.
        return await (running.whenLost ? Promise.race([ran, running.whenLost]) : ran);
      } catch (error) {
        if (!isInsituError(error)) await endIfLost(running);
        throw told(error, target);
      }
    },
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

// A read-back fails at once, the news of the loss comes some milliseconds later.
const NEWS_MS = 500;

/** tfjs answers a dead device with misleading errors, such as "createBuffer failed, size is too large". Throws `device_lost`. */
async function endIfLost({ whenLost }: Running): Promise<void> {
  if (whenLost) await Promise.race([whenLost, new Promise((resolve) => setTimeout(resolve, NEWS_MS))]);
}

async function run({ source, target, execute }: SessionParts, feeds: Record<string, TensorData>): Promise<Ran> {
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
    for (const [index, { name }] of source.outputs.entries()) {
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
  return asInsituError(error, "_OTHER", `${target.backend} could not run the model`);
}
