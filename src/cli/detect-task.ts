// Decides the task of a model for which none was declared, from its labels, its outputs and what they hold.
import { InsituError } from "../shared/errors.js";
import type { ClassificationTask, Manifest, ModelTask, OutputSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";

export interface DetectedTask {
  task: ModelTask;
  /** Why, in words. */
  about: string;
}

/** Without labels the task is raw. Throws `input_invalid` if no output has as many numbers as there are labels. */
export function detectTask(
  labels: string[] | undefined,
  outputs: OutputSpec[],
  run?: Record<string, TensorData>,
): DetectedTask {
  if (!labels) return { task: { kind: "raw" }, about: "the default; --labels or --task declare another one" };
  const output = outputs.find((candidate) => fits(candidate, labels.length));
  if (!output) {
    const shapes = outputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ");
    const single = outputs.find((candidate) => classesOf(candidate) === 1);
    const way = single
      ? oneUnit(single.name)
      : "Without a --task of kind classification or detection, the task is raw, which has no labels. List one label for each class.";
    const message = `No output has one number for each of the ${labels.length} labels: ${shapes}. ${way}`;
    throw new InsituError("input_invalid", message, { labels: labels.length });
  }
  const found = activationOf(run?.[output.name]);
  const task: ClassificationTask = {
    kind: "classification",
    ...(outputs.length > 1 && { output: output.name }),
    labels,
    ...(found && { activation: found }),
  };
  const scores = found ? `its values are not scores yet, so ${found} is applied` : "its values are taken as scores";
  return { task, about: `${output.name} has a number for each label; ${scores}` };
}

const oneUnit = (name: string): string =>
  `The one number of ${name} can be the score of the second of two classes: list two labels, the first for low and the second for high scores. If it is a measured value, omit --labels and pass --task with { "kind": "regression" }.`;

/** The number of classes of an output. */
function classesOf({ shape }: OutputSpec): number {
  return shape.filter((size) => size !== -1).reduce((all, size) => all * size, 1);
}

/** One number is enough for two classes: the score of the second. */
function fits(output: OutputSpec, labels: number): boolean {
  const classes = classesOf(output);
  return classes === labels || (classes === 1 && labels === 2);
}

/** Scores are 0 to 1; logits nearly never all are. */
function activationOf(output: TensorData | undefined): ClassificationTask["activation"] {
  if (!output || output.data.every((value) => value >= 0 && value <= 1)) return undefined;
  return output.data.length === 1 ? "sigmoid" : "softmax";
}

/** The number of labels must equal the number of classes: with one too few, every label may be off by one. */
export function checkLabels({ task, outputs }: Manifest): void {
  if (task.kind !== "classification" || task.labels.length === 0) return;
  const output = outputs.find(({ name }) => name === task.output) ?? outputs[0];
  if (!output) return;
  const classes = classesOf(output);
  const labels = task.labels.length;
  if (classes === 1 && task.activation === "softmax") {
    const message = `The softmax of one number is always 1. Set "activation" to "sigmoid" for the output ${output.name}, or to "none" if the model ends in a sigmoid.`;
    throw new InsituError("input_invalid", message, { output: output.name });
  }
  if (fits(output, labels)) return;
  const message =
    classes === 1
      ? `There are ${labels} labels, but the output ${output.name} is one number. ${oneUnit(output.name)}`
      : `There are ${labels} labels for the ${classes} classes of the output ${output.name}. List one label for each class.`;
  throw new InsituError("input_invalid", message, { labels, classes });
}
