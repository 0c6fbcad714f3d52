// Lists the ops of a graph for which a backend has no kernel, before anything is run.
import { type ModelJson, operations } from "../../package/topology.js";

/** Kernels that some backend lacks and whose name differs from their op's (tfjs 4.22). */
const KERNELS: Record<string, string> = { RFFT: "FFT", IRFFT: "IFFT", UniqueV2: "Unique" };

/** The model's ops, each once, whose kernel `reference` has and `kernels` lacks. Ops unknown to both are found by the first run. */
export function missingOps(model: ModelJson, kernels: Set<string>, reference: Set<string>): string[] {
  if (model.format !== "tfjs-graph-model") return [];
  const ops = new Set(operations(model.json, "model.json").map(({ op }) => op));
  return [...ops].filter((op) => {
    const kernel = KERNELS[op] ?? op;
    return reference.has(kernel) && !kernels.has(kernel);
  });
}
