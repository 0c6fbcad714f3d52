// Tells before anything is allocated that a backend cannot hold a model's weights.

import type { Backend } from "../../../shared/types/tensor.js";
import type { ModelJson } from "../../package/topology.js";

// All weights are numbers of four bytes once they are decoded (uint8 and float16 too).
const BYTES = 4;
// tfjs's wasm is linked with a memory of at most 2 GiB, in which activations must fit as well.
const WASM_BYTES = 2 ** 31;
const ROOM = 0.75;

/** Bytes of the weights in memory. */
export function weightsInMemory({ weightSpecs }: ModelJson): number {
  return weightSpecs.reduce((sum, { shape }) => sum + shape.reduce((size, length) => size * length, BYTES), 0);
}

/** Undefined where they fit, as far as can be known. A GPU does not tell how much it has. */
export function tooLarge(model: ModelJson, backend: Backend): string | undefined {
  const needed = weightsInMemory(model);
  if (backend !== "wasm" || needed <= WASM_BYTES * ROOM) return undefined;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  return `its weights need ${megabytes(needed)} in memory, wasm has room for ${megabytes(WASM_BYTES * ROOM)}`;
}
