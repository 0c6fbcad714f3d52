// Reads the `--task` and `--labels` files: what the publisher states about a model beyond what the model itself says.
import { InsituError } from "../shared/errors.js";
import { isObject } from "../shared/json-fields.js";
import type { EmbeddingSpec, ImageSpec, ModelTask, OutputSpec, TensorSpec } from "../shared/types/manifest.js";
import { readJsonFile, readText } from "./files.js";

/** The content of a `--task` file. Its parts are validated together with the manifest. */
export interface TaskFile {
  task?: ModelTask;
  /** Matched by name; each field overrides what the model says. */
  inputs?: (Partial<TensorSpec> & {
    name: string;
    image?: Partial<ImageSpec>;
    allowNonFinite?: boolean;
    range?: [number, number];
  })[];
  /** Matched by name. When given, the package has only these outputs, and only they are computed. */
  outputs?: (Partial<OutputSpec> & { name: string })[];
  /** The features that personal models learn from. The node must exist in the model. */
  embedding?: Partial<EmbeddingSpec> & { node: string };
  metrics?: Record<string, number>;
  license?: string;
  source?: string;
}

/** Where the task and its labels come from: the paths of two files, or the task itself. */
interface TaskSource {
  task?: string | TaskFile | ModelTask;
  labels?: string;
}

/** The task file, and the labels where it does not hold them. Throws `input_invalid` if a file cannot be read or the labels do not fit the task's kind. */
export async function readTask({ task, labels }: TaskSource): Promise<{ file: TaskFile; labels?: string[] }> {
  const value = typeof task === "string" ? await readJsonFile(task) : (task ?? {});
  if (!isObject(value)) {
    const message = `${task} must hold a JSON object, such as { "task": { "kind": "classification" } }.`;
    throw new InsituError("input_invalid", message);
  }
  const file = ("kind" in value ? { task: value } : value) as TaskFile;
  for (const key of ["inputs", "outputs"] as const) checkNames(file[key], key);
  if (labels === undefined) return { file };
  const names = lines(await readText(labels));
  // The task may follow from the labels.
  if (!file.task) return { file, labels: names };
  if (file.task.kind !== "classification" && file.task.kind !== "detection") {
    const message = `--labels needs a task with classes, but the task is ${file.task.kind ?? "of no kind"}. Pass a --task of kind classification or detection as well.`;
    throw new InsituError("input_invalid", message);
  }
  return { file: { ...file, task: { ...file.task, labels: names } } };
}

function checkNames(value: unknown, key: string): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((item) => isObject(item) && typeof item.name === "string")) return;
  const message = `${key} in --task must be an array of objects, each with a name. Correct the task file.`;
  throw new InsituError("input_invalid", message);
}

/** An empty line in the middle is a class without a name; empty lines at the end are ignored. */
function lines(text: string): string[] {
  return text.trimEnd().split(/\r?\n/);
}
