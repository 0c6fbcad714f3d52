// Reads and checks tfjs's `model.json` against the manifest, before any byte of weights is decoded.
import { InsituError } from "../../shared/errors.js";
import {
  type At,
  finite,
  isObject,
  keyName,
  list,
  object,
  oneOf,
  own,
  parseJson,
  refuse,
  shape,
  show,
  text,
  under,
} from "../../shared/json-fields.js";
import { pathProblem } from "../../shared/package-path.js";
import type { Manifest } from "../../shared/types/manifest.js";
import { checkLayerOrder } from "./layer-graph.js";

/** One weight, as `tf.io.WeightsManifestEntry` has it. */
export interface WeightSpec {
  name: string;
  shape: number[];
  dtype: "float32" | "int32" | "bool";
  group?: "model" | "optimizer";
  quantization?: { dtype: "uint8" | "uint16" | "float16"; scale?: number; min?: number };
}

export interface ModelJson {
  format: Manifest["format"];
  /** The parsed document: `modelTopology`, and what tfjs reads beside it (`signature`, `userDefinedMetadata`). */
  json: Record<string, unknown>;
  /** In the order in which the weights follow each other in the files. */
  weightSpecs: WeightSpec[];
  /** Paths in the package, in order; all are listed in the manifest. */
  weightFiles: string[];
}

/** What a model is checked against. */
type Declared = Pick<Manifest, "format" | "files" | "inputs" | "outputs">;

const ADVICE = `Check the address and publish the folder as "insitu pack" wrote it.`;
// The largest public tfjs graphs have about 10,000 nodes; tfjs needs time and memory for each before the first run.
const MAX_NODES = 100_000;
const BYTES = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 } as const;
// What tfjs 4.22 decodes (io_utils.js, decodeWeight); texts and complex numbers have no kernel on our backends.
const DTYPES = ["float32", "int32", "bool"] as const;
const QUANTIZED = ["uint8", "uint16", "float16"] as const;

/**
 * The model in `text`, checked; `where` is its address, for messages. Weight paths are relative to the package's folder.
 * Throws `model_format` with `data` of `{ url, field }` when it is not a tfjs model, is not of the manifest's format, has
 * weights that do not fill its files exactly, or lacks an input or output that the manifest names.
 */
export function parseModelJson(text: string, manifest: Declared, where: string): ModelJson {
  const root: At = { url: where, field: "" };
  const json = object(parseJson(text, where, ADVICE), root);
  const format = formatOf(json, where);
  if (format !== manifest.format)
    refuse(under(root, "format"), `is ${format}, the manifest says ${manifest.format}. Pack the model again`);
  const names = new Set(operations(json, where).map(({ name }) => name));
  if (format === "tfjs-graph-model") {
    for (const { name } of [...manifest.inputs, ...manifest.outputs]) {
      // `name:1` is the second result of the node `name`.
      if (!names.has(name.split(":", 1)[0] ?? name))
        refuse(under(root, "modelTopology"), `has no node ${show(name)}, which the manifest names`);
    }
  }
  const { weightSpecs, weightFiles } = weightsOf(json, where);
  checkFiles(weightSpecs, weightFiles, manifest, under(root, "weightsManifest"));
  return { format, json, weightSpecs, weightFiles };
}

/** Which of the two tfjs formats this is; by its content, for old converters leave `format` out. */
export function formatOf(json: Record<string, unknown>, url: string): Manifest["format"] {
  const at = { url, field: "modelTopology" };
  const topology = object(own(json, "modelTopology"), at);
  const isGraph = Array.isArray(own(topology, "node"));
  if (!isGraph && !layersConfig(topology))
    refuse(at, `holds neither nodes (graph model) nor layers (layers model). ${ADVICE}`);
  const stated = own(json, "format");
  const found = isGraph ? "graph-model" : "layers-model";
  if (stated !== undefined && stated !== null && stated !== found) {
    refuse({ url, field: "format" }, `is ${show(stated)}, but the topology is that of a ${found}`);
  }
  return `tfjs-${found}`;
}

/** The `{ class_name, config }` of a layers model, which newer savers wrap in `model_config`. */
export function layersConfig(topology: Record<string, unknown>): Record<string, unknown> | undefined {
  const config = own(topology, "model_config") ?? topology;
  return isObject(config) && typeof own(config, "class_name") === "string" ? config : undefined;
}

// ---- operations --------------------------------------------------------------------------------------------------

export interface Operation {
  name: string;
  /** The op of a graph's node, the class of a layer. */
  op: string;
}

/** All nodes of a graph, those of its functions included, or all layers; refuses more than 100,000. */
export function operations(json: Record<string, unknown>, url: string): Operation[] {
  const at = { url, field: "modelTopology" };
  const topology = object(own(json, "modelTopology"), at);
  if (formatOf(json, url) === "tfjs-layers-model") return layers(layersConfig(topology), under(at, "model_config"));
  const found = nodes(own(topology, "node"), under(at, "node"));
  const library = own(topology, "library");
  const functions = isObject(library) ? (own(library, "function") ?? []) : [];
  for (const [index, item] of list(functions, under(at, "library.function")).entries()) {
    const here = under(under(at, "library.function"), index);
    // Not spread into push: a hundred thousand arguments overflow the stack.
    for (const node of nodes(own(object(item, here), "nodeDef") ?? [], under(here, "nodeDef"))) found.push(node);
    checkCount(found.length, at);
  }
  return found;
}

function nodes(value: unknown, at: At): Operation[] {
  const items = list(value, at);
  checkCount(items.length, at);
  return items.map((item, index) => {
    const here = under(at, index);
    const node = object(item, here);
    return { name: keyName(own(node, "name"), under(here, "name")), op: text(own(node, "op"), under(here, "op")) };
  });
}

/** Layers may be models of layers themselves; visited without recursion, so that depth costs no stack. */
function layers(model: Record<string, unknown> | undefined, at: At): Operation[] {
  const found: Operation[] = [];
  const open: unknown[] = [model];
  let seen = 0;
  for (let layer = open.pop(); layer !== undefined; layer = open.pop()) {
    const given = object(layer, under(at, "layers"));
    const config = own(given, "config");
    const inner = isObject(config) ? own(config, "layers") : config;
    const name = isObject(config) ? own(config, "name") : undefined;
    const op = text(own(given, "class_name"), under(at, "class_name"));
    if (Array.isArray(inner)) {
      if (op !== "Sequential") checkLayerOrder(inner, under(at, "layers"));
      for (const item of inner) open.push(item ?? null);
      seen += inner.length;
    } else {
      found.push({ name: typeof name === "string" ? name : op, op });
    }
    checkCount(seen, at);
  }
  return found.reverse();
}

function checkCount(count: number, at: At): void {
  if (count > MAX_NODES) refuse(at, `has ${count} nodes, ${MAX_NODES} is the maximum`);
}

// ---- weights -----------------------------------------------------------------------------------------------------

export function weightsOf(json: Record<string, unknown>, url: string): Pick<ModelJson, "weightSpecs" | "weightFiles"> {
  const at = { url, field: "weightsManifest" };
  const weightSpecs: WeightSpec[] = [];
  const weightFiles = new Set<string>();
  const known = new Set<string>();
  for (const [index, item] of list(own(json, "weightsManifest"), at).entries()) {
    const here = under(at, index);
    const group = object(item, here);
    for (const [number, path] of list(own(group, "paths"), under(here, "paths")).entries()) {
      weightFiles.add(checkPath(path, weightFiles, under(under(here, "paths"), number)));
    }
    for (const [number, weight] of list(own(group, "weights"), under(here, "weights")).entries()) {
      const spec = parseWeight(weight, under(under(here, "weights"), number));
      if (known.has(spec.name)) refuse(under(here, "weights"), `names ${show(spec.name)} twice`);
      known.add(spec.name);
      weightSpecs.push(spec);
    }
  }
  return { weightSpecs, weightFiles: [...weightFiles] };
}

/** Without `./`, which `model.save("downloads://…")` writes. */
function checkPath(value: unknown, before: Set<string>, at: At): string {
  const path = text(value, at).replace(/^(\.\/)+/, "");
  const problem = pathProblem(path);
  if (problem) refuse(at, `is ${show(path)}, which ${problem}`);
  return before.has(path) ? refuse(at, `names ${show(path)} a second time`) : path;
}

function parseWeight(value: unknown, at: At): WeightSpec {
  const given = object(value, at);
  const spec: WeightSpec = {
    name: keyName(own(given, "name"), under(at, "name")),
    shape: shape(own(given, "shape"), under(at, "shape"), 0),
    dtype: oneOf(own(given, "dtype"), DTYPES, under(at, "dtype")),
  };
  const group = own(given, "group");
  if (group === "model" || group === "optimizer") spec.group = group;
  const quantization = own(given, "quantization");
  // tfjs looks at whether the key exists, so an absent one stays absent.
  if (quantization !== undefined && quantization !== null)
    spec.quantization = parseQuantization(quantization, spec, under(at, "quantization"));
  return spec;
}

function parseQuantization(value: unknown, { dtype }: WeightSpec, at: At): WeightSpec["quantization"] {
  const given = object(value, at);
  const stored = oneOf(own(given, "dtype"), QUANTIZED, under(at, "dtype"));
  if (dtype === "bool" || (stored === "float16" && dtype !== "float32"))
    refuse(at, `cannot keep ${dtype} as ${stored}`);
  if (stored === "float16") return { dtype: stored };
  return {
    dtype: stored,
    scale: finite(own(given, "scale"), under(at, "scale")),
    min: finite(own(given, "min"), under(at, "min")),
  };
}

/** Bytes of one weight in its file. */
export function weightBytes({ shape, dtype, quantization }: WeightSpec): number {
  return shape.reduce((product, dim) => product * dim, 1) * BYTES[quantization?.dtype ?? dtype];
}

/** tfjs reads the files as one run of bytes: a byte more or less shifts every weight behind it, without an error. */
function checkFiles(specs: WeightSpec[], paths: string[], manifest: Declared, at: At): void {
  const listed = new Map(manifest.files.map(({ path, size }) => [path, size]));
  const sizes = paths.map((path) => {
    const size = listed.get(path);
    return size ?? refuse(at, `names ${show(path)}, which the manifest does not list. Pack the model again`);
  });
  const expected = specs.reduce((sum, spec) => sum + weightBytes(spec), 0);
  const actual = sizes.reduce((sum, size) => sum + size, 0);
  if (expected === actual) return;
  const message = `${at.url} describes weights of ${expected} bytes, its files have ${actual}. Convert or copy the model again, then pack it.`;
  throw new InsituError("model_format", message, { ...at, expected, actual });
}
