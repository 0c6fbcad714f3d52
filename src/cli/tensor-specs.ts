// Combines the inputs and outputs that a model declares with those of the `--task` file.
import { InsituError } from "../shared/errors.js";
import type { ImageSpec, InputSpec, OutputSpec } from "../shared/types/manifest.js";
import { formatOf } from "../worker/package/topology.js";
import { graphSpecs, nodeNames } from "./graph-specs.js";
import type { Guess, Guesses } from "./guess.js";
import { layerNames, layersSpecs } from "./layers-specs.js";
import type { TaskFile } from "./task-file.js";

type Kind = "inputs" | "outputs";

/** An output whose shape and dtype a run may still tell. */
export type OpenOutput = Pick<OutputSpec, "name" | "allowInfinite"> & Partial<OutputSpec>;

export interface MergedSpecs {
  inputs: InputSpec[];
  outputs: OpenOutput[];
}

/** The inputs and outputs that the model's description declares; `url` is its path, for messages. */
export function declaredSpecs(json: Record<string, unknown>, url: string): Guesses {
  return formatOf(json, url) === "tfjs-graph-model" ? graphSpecs(json) : layersSpecs(json);
}

/** All names that an input or output may have besides the declared ones. */
function innerNames(json: Record<string, unknown>, url: string): Set<unknown> {
  return new Set(formatOf(json, url) === "tfjs-graph-model" ? nodeNames(json) : layerNames(json));
}

/** The task file with the model's own names for its tensors. Throws `input_invalid`, with the right names, for one that the model does not have. */
export function withModelNames(
  given: TaskFile,
  { aliases }: Guesses,
  json: Record<string, unknown>,
  model: string,
): TaskFile {
  const inner = innerNames(json, model);
  const resolve = (kind: Kind, name: string): string => {
    const found = aliases[kind].get(name);
    // `name:1` is the second result of a node.
    if (found !== undefined || inner.has(name) || inner.has(name.split(":", 1)[0])) return found ?? name;
    const names = [...new Set(aliases[kind].values())];
    const message = `${model} has no ${kind.slice(0, -1)} named ${JSON.stringify(name)}, which --task names. Its ${kind} are ${names.join(", ")}.`;
    throw new InsituError("input_invalid", message, { name, [kind]: names });
  };
  const rename = <T extends { name: string }>(kind: Kind, tensors?: T[]): T[] | undefined =>
    tensors?.map((tensor) => ({ ...tensor, name: resolve(kind, tensor.name) }));
  const { task } = given;
  const output = task && "output" in task ? task.output : undefined;
  return {
    ...given,
    inputs: rename("inputs", given.inputs),
    outputs: rename("outputs", given.outputs),
    ...(task && typeof output === "string" && { task: { ...task, output: resolve("outputs", output) } as typeof task }),
  };
}

/**
 * The task file's fields override the model's. Throws `model_format` for a type that insitu does not support, and if the dtype or shape of
 * an input is still missing.
 */
export function mergeSpecs(declared: Guesses, given: TaskFile, model: string): MergedSpecs {
  const inputs = override(declared.inputs, given.inputs).map(withLayout);
  const all = override(declared.outputs, given.outputs);
  const outputs = given.outputs
    ? given.outputs.map(({ name }) => all.find((tensor) => tensor.name === name) as OpenOutput)
    : all;
  for (const [kind, tensors] of [["inputs", inputs] as const, ["outputs", outputs] as const]) {
    if (tensors.length === 0) throw missingSpec(model, kind, `no ${kind}`);
    for (const tensor of tensors) checkSupported(tensor, kind, model);
  }
  for (const { name, dtype, shape } of inputs)
    if (!dtype || !shape) throw missingSpec(model, "inputs", `no ${dtype ? "shape" : "dtype"} for the input "${name}"`);
  const drop = <T extends Guess>({ unsupported: _, ...tensor }: T) => tensor;
  return { inputs: inputs.map(drop) as InputSpec[], outputs: outputs.map(drop) };
}

function override(declared: Guess[], given: (Partial<OutputSpec> & { name: string })[] = []): Guess[] {
  const added = given.filter(({ name }) => !declared.some((tensor) => tensor.name === name));
  const merged = declared.map((tensor) => ({ ...tensor, ...given.find(({ name }) => name === tensor.name) }));
  return [...merged, ...added];
}

/** An image input of shape `[batch, channels, height, width]` is recognized if only the second dimension can be the channels. */
function withLayout(input: Guess & { image?: Partial<ImageSpec> }): Guess {
  const { image, shape } = input;
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const isPlanar = shape?.length === 4 && isChannels(shape[1]) && !isChannels(shape[3]);
  if (!isPlanar || !image || image.layout) return input;
  const planar: typeof input = { ...input, image: { ...image, layout: "nchw" } };
  return planar;
}

function checkSupported({ name, unsupported }: Guess, kind: Kind, model: string): void {
  if (!unsupported) return;
  const type = unsupported.replace(/^DT_/, "").toLowerCase();
  const way =
    kind === "inputs"
      ? "Convert text to numbers (tokens, indices) in JavaScript, and export the part of the model behind that conversion."
      : `Select the outputs that are numbers: { "outputs": [{ "name": "…" }] } in the --task file. Names of classes go into --labels.`;
  const message = `${model} has the ${kind.slice(0, -1)} "${name}" of type ${type}, which insitu cannot run: it computes with float32, int32 and bool. ${way}`;
  throw new InsituError("model_format", message, { url: model, field: kind, name, type });
}

function missingSpec(model: string, kind: Kind, what: string): InsituError {
  const example = `{ "${kind}": [{ "name": "…", "dtype": "float32", "shape": [-1, 10] }] }`;
  const message = `${model} declares ${what}. Declare it in the --task file: ${example}`;
  return new InsituError("model_format", message, { url: model, field: kind });
}
