// Turns a tfjs model into a model package: reads the model's inputs and outputs, hashes its files and writes the manifest.
import { basename, dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { FileSpec, Manifest, ModelTask } from "../shared/types/manifest.js";
import { isObject, parseJson } from "../worker/package/json-fields.js";
import { parseManifest, pathProblem } from "../worker/package/manifest.js";
import { formatOf, parseModelJson, weightsOf } from "../worker/package/topology.js";
import { describeFile, describeText, readText } from "./files.js";
import { nodeNames } from "./graph-specs.js";
import { type KeyFile, readKey } from "./keys.js";
import { layerNames } from "./layers-specs.js";
import { recordSelfTests, type SelfTestRecording } from "./record.js";
import { signedText } from "./sign.js";
import { readTask, type TaskFile } from "./task-file.js";
import { declaredSpecs, mergeSpecs } from "./tensor-specs.js";
import { writePackage } from "./write.js";

export interface PackOptions {
  /** Path of tfjs's `model.json`; its weight files are beside it. */
  model: string;
  /** Folder to write; created if missing. */
  out: string;
  name: string;
  /** A semantic version. */
  version: string;
  /** Increases with each published version. @defaultValue 1 */
  release?: number;
  /** Path of a JSON file, or its content: a {@link TaskFile} or a bare task. @defaultValue the task `raw` */
  task?: string | TaskFile | ModelTask;
  /** Path of a text file with one label a line. @defaultValue the task's own labels */
  labels?: string;
  /** ISO 8601. Set it for reproducible builds. @defaultValue now */
  created?: string;
  /** ISO 8601: pages refuse the package from then on. @defaultValue never */
  expires?: string;
  /** Path of a key file made by `insitu keygen`. @defaultValue not signed */
  sign?: string;
  /** Paths of input files, one self-test each; false for no self-test. @defaultValue one self-test on noise */
  selfTest?: string[] | false;
  /** Receives a line of text for each slow step. */
  onProgress?: (line: string) => void;
  /** Write into a folder that holds other files too. @defaultValue false */
  force?: boolean;
}

interface ParsedModel {
  text: string;
  json: Record<string, unknown>;
  /** Folder of the model and its weights. */
  folder: string;
  /** The model file and its weight files, hashed. */
  files: FileSpec[];
}

/**
 * Writes a package and resolves to its manifest. If it throws, nothing was written.
 *
 * @throws `model_format` if the model or the resulting manifest is not valid, `input_invalid` if an option is not valid,
 * `backend_unavailable` or `output_invalid` if no self-test can be recorded.
 * @example
 * await packModel({ model: "model.json", out: "public/models/objects", name: "objects", version: "1.0.0" });
 */
export async function packModel(options: PackOptions): Promise<Manifest> {
  const key = options.sign === undefined ? undefined : await readKey(options.sign);
  const source = await readModel(options.model);
  const path = join(options.out, "insitu.json");
  const fields = await manifestFields(source, options);
  const untested = parseManifest(JSON.stringify(fields), path);
  const recordings = await record(untested, source, options);
  const manifest = parseManifest(JSON.stringify(withSelfTests(fields, recordings)), path);
  const text = await manifestFile(manifest, key, path);
  const texts = recordings.flatMap((recording) => recording.files);
  await writePackage({ text, manifest, from: source.folder, texts }, options.out, options.force);
  return parseManifest(text, path);
}

async function readModel(path: string): Promise<ParsedModel> {
  const text = await readText(path);
  const json = parseJson(text, path, "Pass the model.json that tfjs saved or its converter wrote.");
  if (!isObject(json)) {
    const message = `${path} is not a tfjs model: its content is not a JSON object. Pass the model.json that tfjs saved or its converter wrote.`;
    throw new InsituError("model_format", message);
  }
  const name = basename(path);
  if (!name.endsWith(".json") || pathProblem(name)) {
    throw new InsituError("input_invalid", `${path} must have a plain name that ends in .json. Rename the file.`);
  }
  const folder = dirname(path);
  const files: FileSpec[] = [];
  for (const file of [name, ...weightsOf(json, path).weightFiles])
    files.push(await describeFile(join(folder, file), file));
  return { text, json, folder, files };
}

async function record(manifest: Manifest, source: ParsedModel, options: PackOptions): Promise<SelfTestRecording[]> {
  const model = parseModelJson(source.text, manifest, options.model);
  checkLabels(manifest);
  checkEmbedding(manifest, source.json, options.model);
  const { selfTest, onProgress } = options;
  if (selfTest === false) return [];
  return recordSelfTests({ manifest, model, folder: source.folder, inputs: selfTest, onProgress });
}

async function manifestFile(manifest: Manifest, key: KeyFile | undefined, path: string): Promise<string> {
  return key ? signedText({ ...manifest }, key, path) : `${JSON.stringify(manifest, null, 2)}\n`;
}

function withSelfTests<T extends { files: FileSpec[] }>(fields: T, recordings: SelfTestRecording[]): T {
  if (recordings.length === 0) return fields;
  const files = recordings.flatMap((recording) => recording.files);
  const described = files.map(({ path, text }) => describeText(text, path));
  const selfTest = recordings.map(({ spec }) => spec);
  return { ...fields, files: [...fields.files, ...described], selfTest };
}

async function manifestFields({ json, files }: ParsedModel, options: PackOptions) {
  const format = formatOf(json, options.model);
  const given = await readTask(options);
  const { inputs, outputs } = mergeSpecs(declaredSpecs(json, options.model), given, options.model);
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

/** The number of labels must equal the number of classes: with one too few, every label may be off by one. */
function checkLabels({ task, outputs }: Manifest): void {
  if (task.kind !== "classification" || task.labels.length === 0) return;
  const output = outputs.find(({ name }) => name === task.output) ?? outputs[0];
  const classes = output?.shape.filter((size) => size !== -1).reduce((all, size) => all * size, 1);
  const labels = task.labels.length;
  if (classes === labels) return;
  const message = `There are ${labels} labels for the ${classes} classes of the output ${output?.name}. List one label for each class.`;
  throw new InsituError("input_invalid", message, { labels, classes });
}

/** Without this check, a misspelt node would only fail when a user adds the first example. */
function checkEmbedding({ embedding, format }: Manifest, json: Record<string, unknown>, model: string): void {
  if (!embedding) return;
  const names = format === "tfjs-graph-model" ? nodeNames(json) : layerNames(json);
  if (names.includes(embedding.node)) return;
  const kind = format === "tfjs-graph-model" ? "node" : "layer";
  const message = `${model} has no ${kind} named ${embedding.node}, the "embedding" of the --task file. Correct the name.`;
  throw new InsituError("input_invalid", message, { node: embedding.node });
}
