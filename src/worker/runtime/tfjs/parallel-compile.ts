// Compiles all of a model's WebGPU pipelines at once: one run that computes nothing, then a wait for all of them.
import { backend, dispose, env, type NamedTensorMap, type Tensor, zeros } from "@tensorflow/tfjs-core";
import type { TensorSpec } from "../../../shared/types/manifest.js";

const COMPILE_ONLY = "WEBGPU_ENGINE_COMPILE_ONLY";

/**
 * tfjs compiles a pipeline when an operation first needs it, one after the other, and waits for each. In this mode it only
 * collects them (backend_webgpu.js, runWebGPUProgram). A graph that reads numbers back while it runs cannot be run so; it is
 * compiled by its first real run.
 */
export async function compileInParallel(
  inputs: TensorSpec[],
  execute: (feeds: NamedTensorMap) => Promise<Tensor[]>,
): Promise<void> {
  const feeds: NamedTensorMap = {};
  for (const { name, shape, dtype } of inputs)
    feeds[name] = zeros(
      shape.map((size) => (size === -1 ? 1 : size)),
      dtype,
    );
  env().set(COMPILE_ONLY, true);
  try {
    dispose(await execute(feeds));
  } catch {
    // The first real run compiles what is missing, and tells what is wrong.
  } finally {
    // Pipelines that are promises must not be met by a run, so they are waited for in any case.
    await (backend() as { checkCompileCompletionAsync?: () => Promise<void> }).checkCompileCompletionAsync?.();
    env().set(COMPILE_ONLY, false);
    dispose(feeds);
  }
}
