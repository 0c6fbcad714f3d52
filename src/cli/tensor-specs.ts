// Combines the inputs and outputs that a model declares with those of the `--task` file.
import { InsituError } from "../shared/errors.js";
import type { TensorSpec } from "../shared/types/manifest.js";
import { formatOf } from "../worker/package/topology.js";
import { type Guess, type Guesses, graphSpecs } from "./graph-specs.js";
import { layersSpecs } from "./layers-specs.js";
import type { TaskFile } from "./task-file.js";

type GivenSpec = Partial<TensorSpec> & { name: string };

/** The inputs and outputs that the model itself declares; `url` is its path, for messages. */
export function declaredSpecs(json: Record<string, unknown>, url: string): Guesses {
  return formatOf(json, url) === "tfjs-graph-model" ? graphSpecs(json) : layersSpecs(json);
}

/** The task file's fields override the model's. Throws `model_format` if a dtype or a shape is still missing. */
export function mergeSpecs(declared: Guesses, given: TaskFile, model: string): Guesses {
  const inputs = override(declared.inputs, given.inputs);
  const all = override(declared.outputs, given.outputs);
  const outputs = given.outputs
    ? given.outputs.map(({ name }) => all.find((tensor) => tensor.name === name) as Guess)
    : all;
  for (const [kind, tensors] of [["input", inputs] as const, ["output", outputs] as const]) {
    if (tensors.length === 0) throw missingSpec(model, kind, `no ${kind}s`);
    for (const { name, dtype, shape } of tensors) {
      if (!dtype || !shape)
        throw missingSpec(model, kind, `no ${dtype ? "shape" : "supported dtype"} for the ${kind} "${name}"`);
    }
  }
  return { inputs, outputs };
}

function override(declared: Guess[], given: GivenSpec[] = []): Guess[] {
  const added = given.filter(({ name }) => !declared.some((tensor) => tensor.name === name));
  const merged = declared.map((tensor) => ({ ...tensor, ...given.find(({ name }) => name === tensor.name) }));
  return [...merged, ...added];
}

function missingSpec(model: string, kind: "input" | "output", what: string): InsituError {
  const example = `{ "${kind}s": [{ "name": "…", "dtype": "float32", "shape": [-1, 10] }] }`;
  const message = `${model} declares ${what}. Declare it in the --task file: ${example}`;
  return new InsituError("model_format", message, { url: model, field: `${kind}s` });
}
