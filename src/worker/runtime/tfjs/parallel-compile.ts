// Compiles all of a model's WebGPU pipelines at once: one run that only collects them, then a wait for all.
import { backend, dispose, env, type NamedTensorMap, type Tensor, zeros } from "@tensorflow/tfjs-core";
import type { TensorSpec } from "../../../shared/types/manifest.js";
import { sampleShape } from "../../package/sample-shape.js";

const COMPILE_ONLY = "WEBGPU_ENGINE_COMPILE_ONLY";

/**
 * tfjs compiles a pipeline when an operation first needs it, one after the other, and waits for each. In compile-only mode it collects
 * them (backend_webgpu.js, runWebGPUProgram). A graph that reads numbers back while it runs does not work in this mode; its first real
 * run compiles it.
 */
export async function compileInParallel(
  inputs: TensorSpec[],
  execute: (feeds: NamedTensorMap) => Promise<Tensor[]>,
): Promise<void> {
  const feeds: NamedTensorMap = {};
  for (const { name, shape, dtype } of inputs) feeds[name] = zeros(sampleShape(shape), dtype);
  env().set(COMPILE_ONLY, true);
  try {
    dispose(await execute(feeds));
  } catch {
    // The first real run compiles what is missing, and reports what is wrong.
  } finally {
    // A run must not find pipelines that are still promises, so all are awaited in any case.
    await (backend() as { checkCompileCompletionAsync?: () => Promise<void> }).checkCompileCompletionAsync?.();
    env().set(COMPILE_ONLY, false);
    dispose(feeds);
  }
}
