// Turns a tfjs model into a model package: reads what the model says of itself, hashes its files and writes the manifest.
import { basename, dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { EmbeddingSpec, FileSpec, ImageSpec, Manifest, ModelTask, TensorSpec } from "../shared/types/manifest.js";
import { isObject, parseJson } from "../worker/package/json-fields.js";
import { parseManifest, pathProblem } from "../worker/package/manifest.js";
import { formatOf, parseModelJson, weightsOf } from "../worker/package/topology.js";
import { describeFile, describeText, readJsonFile, readText } from "./files.js";
import { type Guess, type Guesses, graphSpecs, nodeNames } from "./graph-specs.js";
import { readKey } from "./keys.js";
import { layerNames, layersSpecs } from "./layers-specs.js";
import { type Recorded, recordSelfTests } from "./record.js";
import { signedText } from "./sign.js";
import { writePackage } from "./write.js";

/** What `--task` may say; each part is checked when the manifest is. */
export interface TaskFile {
  task?: ModelTask;
  /** By name, over what the model says. */
  inputs?: (Partial<TensorSpec> & { name: string; image?: Partial<ImageSpec> })[];
  /** When given, the package has these outputs only, and only they are computed. */
  outputs?: (Partial<TensorSpec> & { name: string })[];
  /** What personalisation learns on; the node must be one of the model's. */
  embedding?: Partial<EmbeddingSpec> & { node: string };
  metrics?: Record<string, number>;
  license?: string;
  source?: string;
}

export interface PackOptions {
  /** Path of tfjs's `model.json`; its weight files are beside it. */
  model: string;
  /** Folder to write; created when missing. */
  out: string;
  name: string;
  /** A semantic version. */
  version: string;
  /** Counts up with each published version. Default 1. */
  release?: number;
  /** Path of a JSON file, or its content: a {@link TaskFile} or a bare task. Default: the task `raw`. */
  task?: string | TaskFile | ModelTask;
  /** Path of a text file with one label a line. Default: the task's own labels. */
  labels?: string;
  /** ISO 8601; give it for builds that come out the same each time. Default: now. */
  created?: string;
  /** ISO 8601: pages refuse the package from then on. Default never. */
  expires?: string;
  /** Path of a key that `insitu keygen` made. Default: not signed. */
  sign?: string;
  /** Paths of the caller's own inputs, a self-test each; false for none. Default: one self-test on noise. */
  selfTest?: string[] | false;
  /** Told in lines of text what takes long. */
  onProgress?: (line: string) => void;
  /** Write into a folder that holds other files too. Default false. */
  force?: boolean;
}

/**
 * Writes a package and resolves to its manifest. Throws `model_format` when the model or the result is none, `input_invalid` when
 * an option does not fit, `backend_unavailable` or `output_invalid` when no self-test can be recorded; nothing is written then.
 */
export async function packModel(options: PackOptions): Promise<Manifest> {
  const text = await readText(options.model);
  const key = options.sign === undefined ? undefined : await readKey(options.sign);
  const json = parseJson(text, options.model, "Pass the model.json that tfjs saved or its converter wrote.");
  if (!isObject(json)) throw new InsituError("model_format", `${options.model} is no tfjs model: it holds no object.`);
  const modelName = basename(options.model);
  if (!modelName.endsWith(".json") || pathProblem(modelName)) {
    throw new InsituError("input_invalid", `${options.model} must have a plain name that ends in .json; rename it.`);
  }
  const paths = [modelName, ...weightsOf(json, options.model).weightFiles];
  const from = dirname(options.model);
  const files: FileSpec[] = [];
  for (const path of paths) files.push(await describeFile(join(from, path), path));
  const path = join(options.out, "insitu.json");
  const described = await describe(json, files, options);
  const untested = parseManifest(JSON.stringify(described), path);
  const model = parseModelJson(text, untested, options.model);
  checkLabels(untested);
  checkEmbedding(untested, json, options.model);
  const { selfTest, onProgress } = options;
  const recorded =
    selfTest === false
      ? []
      : await recordSelfTests({ manifest: untested, model, folder: from, inputs: selfTest, onProgress });
  const manifest = parseManifest(JSON.stringify(withSelfTests(described, recorded)), path);
  const manifestText = key ? await signedText({ ...manifest }, key, path) : `${JSON.stringify(manifest, null, 2)}\n`;
  const texts = recorded.flatMap((test) => test.files);
  await writePackage({ text: manifestText, manifest, from, texts }, options.out, options.force);
  return parseManifest(manifestText, path);
}

function withSelfTests<T extends { files: FileSpec[] }>(described: T, recorded: Recorded[]): T {
  if (recorded.length === 0) return described;
  const files = recorded.flatMap((test) => test.files).map(({ path, text }) => describeText(text, path));
  const selfTest = recorded.map(({ spec }) => spec);
  return { ...described, files: [...described.files, ...files], selfTest };
}

async function describe(json: Record<string, unknown>, files: FileSpec[], options: PackOptions) {
  const format = formatOf(json, options.model);
  const given = await readTask(options);
  const { inputs, outputs } = mergeSpecs(guess(json, options.model), given, options.model);
  return {
    insitu: 1,
    name: options.name,
    version: options.version,
    release: options.release ?? 1,
    created: options.created ?? new Date().toISOString(),
    expires: options.expires,
    format,
    files,
    inputs,
    outputs,
    task: given.task ?? { kind: "raw" },
    embedding: given.embedding,
    license: given.license,
    source: given.source,
    metrics: given.metrics,
  };
}

/** What the model says of its own inputs and outputs. */
export function guess(json: Record<string, unknown>, url: string): Guesses {
  return formatOf(json, url) === "tfjs-graph-model" ? graphSpecs(json) : layersSpecs(json);
}

// ---- task and labels ---------------------------------------------------------------------------------------------

async function readTask({ task, labels }: PackOptions): Promise<TaskFile> {
  const value = typeof task === "string" ? await readJsonFile(task) : (task ?? {});
  if (!isObject(value)) throw new InsituError("input_invalid", `${task} must hold an object with a task.`);
  const file = ("kind" in value ? { task: value } : value) as TaskFile;
  for (const key of ["inputs", "outputs"] as const) checkNamed(file[key], key);
  if (labels === undefined) return file;
  if (file.task?.kind !== "classification" && file.task?.kind !== "detection") {
    const message = `--labels names classes, but the task is ${file.task?.kind ?? "raw"}. Give a --task of kind classification or detection too.`;
    throw new InsituError("input_invalid", message);
  }
  return { ...file, task: { ...file.task, labels: lines(await readText(labels)) } };
}

function checkNamed(value: unknown, key: string): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((item) => isObject(item) && typeof item.name === "string")) return;
  throw new InsituError("input_invalid", `${key} in --task must be a list of objects that have a name.`);
}

/** An empty line in the middle is a class without a name; those at the end are only the file's end. */
function lines(text: string): string[] {
  return text.trimEnd().split(/\r?\n/);
}

/** As many labels as the output has classes: with one too few, every label may be off by one. */
function checkLabels({ task, outputs }: Manifest): void {
  if (task.kind !== "classification" || task.labels.length === 0) return;
  const output = outputs.find(({ name }) => name === task.output) ?? outputs[0];
  const classes = output?.shape.filter((size) => size !== -1).reduce((all, size) => all * size, 1);
  if (classes === task.labels.length) return;
  throw new InsituError(
    "input_invalid",
    `There are ${task.labels.length} labels for the ${classes} classes of ${output?.name}.`,
    {
      labels: task.labels.length,
      classes,
    },
  );
}

/** A name that is misspelt here would be found by the first user who teaches. */
function checkEmbedding({ embedding, format }: Manifest, json: Record<string, unknown>, model: string): void {
  if (!embedding) return;
  const names = format === "tfjs-graph-model" ? nodeNames(json) : layerNames(json);
  if (names.includes(embedding.node)) return;
  const kind = format === "tfjs-graph-model" ? "node" : "layer";
  const message = `${model} has no ${kind} named ${embedding.node}, which --task gives as its embedding.`;
  throw new InsituError("input_invalid", message, { node: embedding.node });
}

// ---- inputs and outputs ------------------------------------------------------------------------------------------

function mergeSpecs(found: Guesses, given: TaskFile, model: string): Guesses {
  const over = (base: Guess[], more: (Partial<TensorSpec> & { name: string })[] = []): Guess[] => {
    const extra = more.filter(({ name }) => !base.some((tensor) => tensor.name === name));
    return [...base.map((tensor) => ({ ...tensor, ...more.find(({ name }) => name === tensor.name) })), ...extra];
  };
  const inputs = over(found.inputs, given.inputs).map(withLayout);
  const all = over(found.outputs, given.outputs);
  const outputs = given.outputs
    ? given.outputs.map(({ name }) => all.find((tensor) => tensor.name === name) as Guess)
    : all;
  for (const [kind, tensors] of [["input", inputs] as const, ["output", outputs] as const]) {
    if (tensors.length === 0) throw unknown(model, kind, `no ${kind} at all`);
    for (const { name, dtype, shape } of tensors) {
      if (!dtype || !shape)
        throw unknown(model, kind, `no ${dtype ? "shape" : "dtype that can be used"} for the ${kind} "${name}"`);
    }
  }
  return { inputs, outputs };
}

/** An image input of shape `[batch, channels, height, width]` is recognised where only the second dimension can be the channels. */
function withLayout(input: Guess & { image?: Partial<ImageSpec> }): Guess {
  const { image, shape } = input;
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const isPlanar = shape?.length === 4 && isChannels(shape[1]) && !isChannels(shape[3]);
  if (!isPlanar || !image || image.layout) return input;
  const planar: typeof input = { ...input, image: { ...image, layout: "nchw" } };
  return planar;
}

function unknown(model: string, kind: "input" | "output", what: string): InsituError {
  const example = `{ "${kind}s": [{ "name": "…", "dtype": "float32", "shape": [-1, 10] }] }`;
  return new InsituError("model_format", `${model} tells ${what}. Say it in the --task file: ${example}`, {
    url: model,
    field: `${kind}s`,
  });
}
