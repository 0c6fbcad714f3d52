// Runs a model on cpu to learn what it does not declare: the shapes of its outputs, and whether it runs at any open size.
import { InsituError } from "../shared/errors.js";
import type { InputSpec, OutputSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { sampleShape } from "../worker/package/sample-shape.js";
import { seededNoise } from "../worker/package/seeded-noise.js";
import type { Session } from "../worker/runtime/session/engine.js";
import { noiseRange } from "./self-test-inputs.js";
import type { MergedSpecs } from "./tensor-specs.js";

type Tensors = Record<string, TensorData>;
type Shapes = Record<string, number[]>;

// Odd, of two sizes: a graph that works in multiples of 8, or on squares, is found.
const OTHER_HEIGHT = 91;
const OTHER_WIDTH = 67;
const OTHER_LENGTH = 7;

export interface Probed {
  outputs: OutputSpec[];
  /** What the model gave for noise. */
  run: Tensors;
}

/** Sizes that an input leaves open, besides the batch. */
const openSizes = ({ shape }: InputSpec): number => shape.filter((size, axis) => size === -1 && axis > 0).length;

/** Whether the model must be run before its specs are complete. */
export function needsProbe({ inputs, outputs }: MergedSpecs): boolean {
  return outputs.some(({ dtype, shape }) => !dtype || !shape) || inputs.some((input) => openSizes(input) > 0);
}

/**
 * The outputs with their shapes. Throws `model_format` if the model does not run at other sizes that it leaves open, and
 * `backend_unavailable` if it does not run at all.
 */
export async function probe(session: Session, { inputs, outputs }: MergedSpecs, model: string): Promise<Probed> {
  const sample = shapesOf(inputs, sampleShape);
  const first = await attempt(session, inputs, sample);
  const open = inputs.filter((input) => openSizes(input) > 0);
  if (first instanceof Error) throw open[0] ? notAnySize(model, open[0], sample, first) : notRun(model, first);
  const runs = [first];
  if (open[0]) {
    const other = shapesOf(inputs, otherShape);
    const found = await attempt(session, inputs, other);
    if (found instanceof Error) throw notAnySize(model, open[0], other, found, sample);
    runs.push(found);
  }
  if (inputs.some(({ shape }) => shape[0] === -1) && outputs.some(({ shape }) => !shape)) {
    // A graph may have a batch that its inputs do not declare as fixed.
    const batch = await attempt(session, inputs, shapesOf(inputs, batchShape));
    if (!(batch instanceof Error)) runs.push(batch);
  }
  return { outputs: outputs.map((output) => complete(output, runs)), run: first };
}

function complete(output: MergedSpecs["outputs"][number], runs: Tensors[]): OutputSpec {
  const found = runs.map((run) => run[output.name] as TensorData);
  const [first] = found;
  const { dtype, shape } = first as TensorData;
  const isFixed = (axis: number) => found.every((run) => run.shape[axis] === shape[axis]);
  return {
    ...output,
    dtype: output.dtype ?? dtype,
    shape: output.shape ?? shape.map((n, axis) => (isFixed(axis) ? n : -1)),
  };
}

// ---- sizes -------------------------------------------------------------------------------------------------------

function shapesOf(inputs: InputSpec[], choose: (shape: number[]) => number[]): Shapes {
  return Object.fromEntries(inputs.map(({ name, shape }) => [name, choose(shape)]));
}

function otherShape(shape: number[]): number[] {
  const image = [1, OTHER_HEIGHT, OTHER_WIDTH, OTHER_WIDTH];
  return shape.map((size, axis) => {
    if (size !== -1) return size;
    if (axis === 0) return 1;
    // The last open size of four differs from the one before it.
    const isLast = shape.lastIndexOf(-1) === axis;
    return shape.length === 4 ? (image[isLast ? 2 : 1] as number) : OTHER_LENGTH;
  });
}

const batchShape = (shape: number[]): number[] =>
  sampleShape(shape).map((size, axis) => (axis === 0 && shape[0] === -1 ? 2 : size));

async function attempt(session: Session, inputs: InputSpec[], shapes: Shapes): Promise<Tensors | Error> {
  const feeds = inputs.map((input): [string, TensorData] => {
    const shape = shapes[input.name] as number[];
    const data = seededNoise({ seed: 1, ...noiseRange(input) }, shape, input.dtype);
    return [input.name, { data, shape, dtype: input.dtype }];
  });
  try {
    return (await session.run(Object.fromEntries(feeds))).outputs;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

// ---- refusals ----------------------------------------------------------------------------------------------------

function notAnySize(
  model: string,
  { name, shape }: InputSpec,
  failed: Shapes,
  error: Error,
  worked?: Shapes,
): InsituError {
  const at = (shapes: Shapes) => `[${shapes[name]?.join(", ")}]`;
  const what = worked ? `it runs at ${at(worked)}, and fails at ${at(failed)}` : `it fails at ${at(failed)}`;
  const message = `${model}: the input "${name}" declares any size, [${shape.join(", ")}], but the model does not run at any: ${what} (${error.message}). Fix the size in the --task file to one that the model is made for: { "inputs": [{ "name": "${name}", "shape": ${at(worked ?? failed)} }] }`;
  return new InsituError("model_format", message, { url: model, field: "inputs", name }, { cause: error });
}

function notRun(model: string, error: Error): InsituError {
  const message = `${model} does not declare the shapes of its outputs, and does not run on cpu, which would tell them (${error.message}). Declare them in the --task file: { "outputs": [{ "name": "…", "dtype": "float32", "shape": [-1, 10] }] }`;
  return new InsituError("backend_unavailable", message, { backend: "cpu" }, { cause: error });
}
