// Finds the numbers that an input takes whose numbers are looked up in a table of the model, such as an embedding's.
import { isInsituError } from "../shared/errors.js";
import type { InputSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { operations } from "../worker/package/topology.js";
import { zeros } from "../worker/runtime/inputs.js";
import type { Session } from "../worker/runtime/session/engine.js";
import type { ParsedModel } from "./model-file.js";

/** No table has as many rows, and float32 holds it exactly. Small enough that an op which makes as many numbers does not end the process. */
const TOO_LARGE = 2 ** 24;

/**
 * The inputs, those with `range` whose numbers are positions in a table: tfjs itself says how many rows the table has, when it is asked for
 * one that it has not. Nothing changes where the publisher declared a range, where a number is computed with first, and where the model does
 * not run.
 */
export async function withRanges(
  inputs: InputSpec[],
  model: ParsedModel,
  open: () => Promise<Session>,
): Promise<InputSpec[]> {
  const isToken = tokenTest(model);
  const found: InputSpec[] = [];
  for (const input of inputs) {
    const range = input.range || input.image || !isToken(input) ? undefined : await rangeOf(input, inputs, open);
    found.push(range ? { ...input, range } : input);
  }
  return found;
}

/** Whether a run can tell something of the input. Keras passes tokens to its embedding layers as float32. */
function tokenTest({ model, json, path }: ParsedModel): (input: InputSpec) => boolean {
  const isLayers = model.format === "tfjs-layers-model";
  const hasEmbedding = isLayers && operations(json, path).some(({ op }) => op === "Embedding");
  return ({ dtype }) => dtype === "int32" || (dtype === "float32" && hasEmbedding);
}

async function rangeOf(
  { name }: InputSpec,
  inputs: InputSpec[],
  open: () => Promise<Session>,
): Promise<InputSpec["range"]> {
  const feeds = zeros(inputs);
  (feeds[name] as TensorData).data[0] = TOO_LARGE;
  try {
    await (await open()).run(feeds);
    return undefined;
  } catch (error) {
    if (!isInsituError(error) || error.code !== "input_invalid" || error.data.index !== TOO_LARGE) return undefined;
    return error.data.range as InputSpec["range"];
  }
}
