// Reads the model that is to be packed: finds model.json, knows other formats, hashes the files.
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import { isObject, own, parseJson } from "../shared/json-fields.js";
import { pathProblem } from "../shared/package-path.js";
import type { FileSpec } from "../shared/types/manifest.js";
import { formatOf, type ModelJson, parseModelJson, weightsOf } from "../worker/package/topology.js";
import { foreignFile, formatOfFile } from "./file-format.js";
import { describeFile, readText, weightChunks } from "./files.js";
import type { Guesses } from "./guess.js";
import { unloadable } from "./layers-specs.js";
import { declaredSpecs } from "./tensor-specs.js";

export interface ParsedModel {
  /** Path of the model file. */
  path: string;
  text: string;
  json: Record<string, unknown>;
  model: ModelJson;
  /** Folder of the model and its weights. */
  folder: string;
  /** The model file and its weight files, hashed. */
  files: FileSpec[];
}

const ADVICE = "Pass the model.json that tfjs saved or its converter wrote.";

/** The path of the model file; a folder stands for the `model.json` in it. Throws what {@link readModel} throws for other formats. */
export async function findModel(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return path;
  const names = await readdir(path);
  if (names.includes("model.json")) return join(path, "model.json");
  if (names.includes("saved_model.pb")) throw foreignFile(join(path, "saved_model.pb"), "savedModel");
  const foreign = names.map((name) => [join(path, name), formatOfFile(join(path, name))] as const);
  const [other, format] = foreign.find(([, known]) => known) ?? [];
  if (other && format) throw foreignFile(other, format);
  const models = names.filter((name) => name.endsWith(".json") && name !== "metadata.json" && name !== "insitu.json");
  const [only] = models;
  if (only && models.length === 1) return join(path, only);
  const what = models.length > 0 ? `several .json files: ${models.join(", ")}` : "no model.json";
  throw new InsituError("input_invalid", `${path} holds ${what}. ${ADVICE}`, { path });
}

/** Throws `model_format` if the file is not a tfjs model, `input_invalid` if it or a weight file cannot be read. */
export async function readModel(path: string): Promise<ParsedModel> {
  const { text, json } = await readModelJson(path);
  const name = basename(path);
  if (!name.endsWith(".json") || pathProblem(name)) {
    throw new InsituError("input_invalid", `${path} must have a plain name that ends in .json. Rename the file.`);
  }
  const folder = dirname(path);
  // Before the weights are read.
  const format = formatOf(json, path);
  const files: FileSpec[] = [];
  for (const file of [name, ...weightsOf(json, path).weightFiles])
    files.push(await describeFile(join(folder, file), file));
  const model = parseModelJson(text, { format, files, inputs: [], outputs: [] }, path);
  return { path, text, json, model, folder, files };
}

/** The parsed file alone, without its weights. */
export async function readModelJson(path: string): Promise<{ text: string; json: Record<string, unknown> }> {
  const format = formatOfFile(path);
  if (format) throw foreignFile(path, format);
  const text = await readText(path);
  const json = parseJson(text, path, ADVICE);
  if (!isObject(json)) {
    const message = `${path} is not a tfjs model: its content is not a JSON object. ${ADVICE}`;
    throw new InsituError("model_format", message);
  }
  const isArchitecture = own(json, "modelTopology") === undefined && own(json, "class_name") && own(json, "config");
  if (isArchitecture) throw foreignFile(path, "kerasJson");
  if (own(json, "modelTopology") === undefined) {
    const keys = Object.keys(json).slice(0, 5).join(", ");
    const message = `${path} is not a tfjs model: it has no modelTopology, only ${keys || "nothing"}. ${ADVICE}`;
    throw new InsituError("model_format", message, { url: path, field: "modelTopology" });
  }
  return { text, json };
}

/** The inputs and outputs of a model with their shapes as far as they can be known without a run. Throws `model_format` for layers that tfjs cannot load. */
export async function modelSpecs({ json, path, folder, model }: ParsedModel): Promise<Guesses> {
  if (model.format === "tfjs-graph-model") return declaredSpecs(json, path);
  const { describeLayers } = await import("./reference.js");
  try {
    const described = await describeLayers(model, weightChunks(model.weightFiles.map((file) => join(folder, file))));
    for (const { name, shape } of [...described.inputs, ...described.outputs])
      if (!shape?.every(Number.isInteger)) throw new Error(`${name} has the shape [${shape}]`);
    return described;
  } catch (error) {
    throw unloadable(json, path, error);
  }
}
