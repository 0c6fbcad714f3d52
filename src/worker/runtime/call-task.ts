// Merges the options of one prediction into the manifest's task, and refuses options that do not fit it; pure functions.
import { InsituError } from "../../shared/errors.js";
import type { ModelTask } from "../../shared/types/manifest.js";
import { TASK_OPTIONS, type TaskOptions } from "../../shared/types/model.js";

/** The task of one call. */
export interface CallTask {
  task: ModelTask;
  /** Only classes with these labels are returned. Undefined: all. */
  labels?: ReadonlySet<string>;
}

type Option = keyof TaskOptions;

const OPTIONS: Readonly<Record<ModelTask["kind"], readonly Option[]>> = {
  classification: ["top", "labels"],
  detection: ["minScore", "maxOverlap", "labels"],
  embedding: [],
  regression: [],
  ranking: [],
  raw: [],
};

/** Throws `input_invalid`, with the option's name, for an option that the task does not have and for a value that does not fit. */
export function callTask(task: ModelTask, options: TaskOptions = {}): CallTask {
  const { labels } = options;
  const given = TASK_OPTIONS.filter((name) => options[name] !== undefined);
  if (given.length === 0) return { task };
  for (const name of given) check(name, options[name], task);
  // The labels of the manifest name the classes; those of the options only select some.
  const overrides = given.filter((name) => name !== "labels").map((name) => [name, options[name]]);
  const merged = { ...task, ...Object.fromEntries(overrides) } as ModelTask;
  return labels === undefined ? { task: merged } : { task: merged, labels: new Set(labels) };
}

function check(name: Option, value: unknown, task: ModelTask): void {
  const allowed = OPTIONS[task.kind];
  if (!allowed.includes(name)) {
    const has = allowed.length > 0 ? `has ${allowed.join(", ")}` : "has no such options";
    throw refusal(name, value, `is not an option of the task ${task.kind}, which ${has}`);
  }
  if (name === "top" && !(Number.isInteger(value) && (value as number) >= 1))
    throw refusal(name, value, "must be an integer of at least 1");
  if ((name === "minScore" || name === "maxOverlap") && !(typeof value === "number" && value >= 0 && value <= 1))
    throw refusal(name, value, "must be a number from 0 to 1");
  if (name === "labels") checkLabels(value, "labels" in task ? task.labels : []);
}

function checkLabels(value: unknown, known: readonly string[]): void {
  const isList = Array.isArray(value) && value.length > 0 && value.every((label) => typeof label === "string");
  if (!isList) throw refusal("labels", value, "must be an array of at least one label");
  // A class without a label is named by its index.
  const unknown = (value as string[]).find((label) => !known.includes(label) && !isIndex(label, known.length));
  if (unknown === undefined) return;
  throw refusal(
    "labels",
    value,
    `names ${JSON.stringify(unknown)}, which the model does not have; see model.info.labels`,
  );
}

function isIndex(label: string, labelled: number): boolean {
  return /^\d+$/.test(label) && Number(label) >= labelled;
}

function refusal(option: Option, value: unknown, problem: string): InsituError {
  const text = JSON.stringify(value) ?? String(value);
  const message = `The option ${option} (${text.length > 100 ? `${text.slice(0, 100)}…` : text}) ${problem}.`;
  return new InsituError("input_invalid", message, { option });
}
