// Finds out, before anything is allocated, whether a backend can hold a model's weights.
import type { Backend } from "../../../shared/types/tensor.js";
import type { ModelJson } from "../../package/topology.js";

// Decoded weights are numbers of four bytes, also those stored as uint8 or float16.
const BYTES_PER_VALUE = 4;
// tfjs's wasm is linked with a memory of at most 2 GiB, which must hold the activations as well.
const MAX_WASM_WEIGHT_BYTES = 0.75 * 2 ** 31;

/** Bytes of the weights in memory. */
export function weightsInMemory({ weightSpecs }: ModelJson): number {
  return weightSpecs.reduce(
    (sum, { shape }) => sum + shape.reduce((size, length) => size * length, BYTES_PER_VALUE),
    0,
  );
}

/** The reason, or undefined where the weights fit as far as can be known: a GPU does not report its memory. */
export function tooLarge(model: ModelJson, backend: Backend): string | undefined {
  const needed = weightsInMemory(model);
  if (backend !== "wasm" || needed <= MAX_WASM_WEIGHT_BYTES) return undefined;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  return `its weights need ${megabytes(needed)} in memory, wasm has room for ${megabytes(MAX_WASM_WEIGHT_BYTES)}`;
}
