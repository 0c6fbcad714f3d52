// Converts a model's raw outputs to the value of its task; pure functions.
import { InsituError } from "../../shared/errors.js";
import type { Letterbox } from "../../shared/letterbox.js";
import type { ClassificationTask, DetectionTask, Manifest, OutputSpec } from "../../shared/types/manifest.js";
import type { ClassScore, Detection, PredictionValues } from "../../shared/types/model.js";
import type { TensorData } from "../../shared/types/tensor.js";
import type { CallTask } from "./call-task.js";

type Outputs = Record<string, TensorData>;

/**
 * `placement` is the position of the image in the input; without one (the caller passed numbers) boxes are in pixels of the input.
 * `call` is the task with the options of the call; the default is the manifest's task.
 */
export function toValue(
  manifest: Manifest,
  outputs: Outputs,
  placement?: Letterbox,
  call: CallTask = { task: manifest.task },
): PredictionValues[keyof PredictionValues] {
  const { task, labels } = call;
  const output = () => pick(outputs, "output" in task ? task.output : undefined, manifest);
  switch (task.kind) {
    case "classification":
      return classes(task, output(), labels);
    case "detection":
      return detections(task, output(), placement, labels);
    case "embedding":
      return Float32Array.from(output().data);
    case "regression":
      return Array.from(output().data);
    case "ranking":
      return Array.from(output().data, (score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
    case "raw":
      return outputs;
    default:
      return task satisfies never;
  }
}

/** The first value that no model means: NaN, and an infinite one where the output's spec does not allow it. */
export function firstInvalid(
  outputs: Outputs,
  specs: OutputSpec[] = [],
): { output: string; index: number } | undefined {
  for (const [output, { data }] of Object.entries(outputs)) {
    const allows = specs.find(({ name }) => name === output)?.allowInfinite;
    for (let index = 0; index < data.length; index += 1) {
      const value = data[index] as number;
      if (!Number.isFinite(value) && !(allows && !Number.isNaN(value))) return { output, index };
    }
  }
  return undefined;
}

/** Throws `output_invalid` when {@link firstInvalid} finds a value. */
export function assertFinite(outputs: Outputs, backend: string, specs?: OutputSpec[]): void {
  const found = firstInvalid(outputs, specs);
  if (!found) return;
  const { output, index } = found;
  throw new InsituError(
    "output_invalid",
    `The output ${output} holds ${outputs[output]?.data[index]} at ${index}: the input or the weights are invalid, or the backend ${backend} computes wrong values here. Check the input; if it is right, predict again.`,
    { output, index, backend },
  );
}

function pick(outputs: Outputs, name: string | undefined, manifest: Manifest): TensorData {
  const wanted = name ?? manifest.outputs[0]?.name ?? "";
  const output = outputs[wanted];
  if (output) return output;
  throw new InsituError("model_format", `The task reads the output ${wanted}, which the manifest does not list.`, {
    output: wanted,
  });
}

// ---- classification ----------------------------------------------------------------------------------------------

const DEFAULT_TOP = 5;

/** The scores of all classes are computed first: `only` does not change a score. */
export function classes(task: ClassificationTask, output: TensorData, only?: ReadonlySet<string>): ClassScore[] {
  const all = scoresOf(task, output).map((score, index) => ({
    label: task.labels[index] ?? String(index),
    index,
    score,
  }));
  return (only ? all.filter(({ label }) => only.has(label)) : all)
    .sort((a, b) => b.score - a.score)
    .slice(0, task.top ?? DEFAULT_TOP);
}

/** One unit for two labels is the score of the second; the first has the rest. */
export function scoresOf({ activation, labels }: ClassificationTask, { data }: TensorData): number[] {
  const scores =
    activation === "softmax"
      ? softmax(data)
      : Array.from(data, (value) => (activation === "sigmoid" ? 1 / (1 + Math.exp(-value)) : value));
  const [score = 0] = scores;
  return scores.length === 1 && labels.length === 2 ? [1 - score, score] : scores;
}

/** Subtracts the largest logit first, so that no exponential overflows. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// ---- detection ---------------------------------------------------------------------------------------------------

const DEFAULT_MIN_SCORE = 0.3;
const DEFAULT_MAX_OVERLAP = 0.5;

export function detections(
  task: DetectionTask,
  output: TensorData,
  placement?: Letterbox,
  only?: ReadonlySet<string>,
): Detection[] {
  const { data } = output;
  const width = task.columns.length;
  const column = Object.fromEntries(task.columns.map((name, index) => [name, index])) as Record<
    (typeof task.columns)[number],
    number
  >;
  const minScore = task.minScore ?? DEFAULT_MIN_SCORE;
  const found: Detection[] = [];
  for (let row = 0; row + width <= data.length; row += width) {
    const at = (name: (typeof task.columns)[number]) => data[row + column[name]] as number;
    const score = at("score");
    if (score < minScore) continue;
    const index = Math.round(at("class"));
    const label = task.labels[index] ?? String(index);
    if (only && !only.has(label)) continue;
    const box = toBox(at("left"), at("top"), at("right"), at("bottom"), placement);
    if (box) found.push({ label, index, score, box });
  }
  return suppress(found, task.maxOverlap ?? DEFAULT_MAX_OVERLAP);
}

type Box = Detection["box"];

/** Converts corners in the input to a box in the image, clipped to its edges; undefined when no part of it is inside. */
function toBox(left: number, top: number, right: number, bottom: number, at?: Letterbox): Box | undefined {
  if (!at) return { x: left, y: top, width: right - left, height: bottom - top };
  const x1 = clamp((left - at.offsetX) / at.scaleX, at.width);
  const y1 = clamp((top - at.offsetY) / at.scaleY, at.height);
  const x2 = clamp((right - at.offsetX) / at.scaleX, at.width);
  const y2 = clamp((bottom - at.offsetY) / at.scaleY, at.height);
  return x2 > x1 && y2 > y1 ? { x: x1, y: y1, width: x2 - x1, height: y2 - y1 } : undefined;
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}

/** Greedy non-maximum suppression within each class: drops boxes that overlap a better one by more than `maxOverlap`. */
export function suppress(found: Detection[], maxOverlap: number): Detection[] {
  const result: Detection[] = [];
  for (const candidate of found.toSorted((a, b) => b.score - a.score)) {
    if (result.every((other) => other.index !== candidate.index || overlap(other.box, candidate.box) <= maxOverlap)) {
      result.push(candidate);
    }
  }
  return result;
}

/** Intersection over union, 0 to 1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  return intersection / (a.width * a.height + b.width * b.height - intersection);
}
