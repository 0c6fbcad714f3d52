// Estimates the outputs of a graph before it runs: a few kilobytes of nodes may describe outputs that no device can hold.
import { InsituError } from "../../../shared/errors.js";
import { size } from "./shapes.js";
import type { Constant, Graph } from "./types.js";
import { viewOf, workOf } from "./view.js";

/** Bytes of the largest output that a browser can hold, on any backend: wasm's memory of 4 GiB must hold an input beside it. */
const MAX_BYTES = 2 ** 31;
// All numbers of tensors are held in four bytes.
const BYTES_PER_VALUE = 4;

/**
 * Throws `model_too_large` when a node's first output would be larger than 2 GiB for one item. Nodes whose shape depends on data are not
 * judged.
 */
export function checkOutputSizes(graph: Graph, values: Map<string, Constant>): void {
  const view = viewOf(workOf(graph, values));
  for (const { name, op } of view.work.nodes) {
    const shape = view.shape(name);
    if (shape) checkOutputSize(shape, `The node ${name} (${op})`);
  }
}

/** The same for one output; `what` begins the message. A length of -1 or null is one. */
export function checkOutputSize(shape: readonly (number | null)[], what: string): void {
  const lengths = shape.map((length) => (length === null || length < 0 ? 1 : length));
  const bytes = size(lengths) * BYTES_PER_VALUE;
  if (bytes <= MAX_BYTES) return;
  const gigabytes = (amount: number) => `${Number((amount / 1e9).toPrecision(2))} GB`;
  const message = `${what} computes an output of shape [${lengths.join(", ")}], ${gigabytes(bytes)}; ${gigabytes(MAX_BYTES)} is the maximum. Use a smaller model.`;
  throw new InsituError("model_too_large", message, { shape: lengths, bytes, max: MAX_BYTES });
}
