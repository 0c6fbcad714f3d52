// Reads and checks `insitu.json`, the manifest of a model package, and resolves the paths that it names.
import { InsituError } from "../../shared/errors.js";
import {
  type At,
  compact,
  filled,
  finite,
  integer,
  keyName,
  list,
  matching,
  object,
  oneOf,
  optional,
  own,
  parseJson,
  refuse,
  shape,
  show,
  text,
  under,
  unique,
} from "../../shared/json-fields.js";
import { pathProblem } from "../../shared/package-path.js";
import { isoTime, modelName, parseSignatures } from "../../shared/signed-fields.js";
import type {
  ChunkSpec,
  EmbeddingSpec,
  FileSpec,
  InputSpec,
  Manifest,
  OutputSpec,
  TensorSpec,
} from "../../shared/types/manifest.js";
import { parsePlanSpecs } from "./plan-specs.js";
import { parseReference } from "./reference-profile.js";
import { parseSelfTestSpecs } from "./self-test-specs.js";
import { parseImage, parseTask } from "./task-spec.js";

/** Ours have 4 kB; room for 20,000 labels, and too little to fill a memory with. */
export const MAX_MANIFEST_BYTES = 2 ** 20;
/** What a tab can address at most: wasm memories end at 4 GiB. */
const MAX_PACKAGE_BYTES = 2 ** 32;

const FORMATS = ["tfjs-graph-model", "tfjs-layers-model"] as const;
const DTYPES = ["float32", "int32", "bool"] as const;
// The expression that semver.org recommends, without its groups.
const SEMVER =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-z-][0-9a-z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-z-][0-9a-z-]*))*)?(?:\+[0-9a-z-]+(?:\.[0-9a-z-]+)*)?$/i;
const HEX_SHA256 = /^[0-9a-f]{64}$/;
const ADVICE = `Check the address and publish the folder as "insitu pack" wrote it.`;

/**
 * The manifest in `text` as a fresh, checked copy with all defaults filled in; fields that this version does not know are
 * left out. `where` is its address, for messages. Throws `model_too_large` for a text over 1 MiB or a package over 4 GiB,
 * else `model_format` with `data` of `{ url, field }`.
 */
export function parseManifest(text: string, where: string): Manifest {
  if (text.length > MAX_MANIFEST_BYTES || new TextEncoder().encode(text).length > MAX_MANIFEST_BYTES) {
    const data = { url: where, field: "", max: MAX_MANIFEST_BYTES };
    throw new InsituError(
      "model_too_large",
      `${where} is larger than 1 MiB, the maximum for a manifest. ${ADVICE}`,
      data,
    );
  }
  return checkManifest(parseJson(text, where, ADVICE), where);
}

function checkManifest(value: unknown, url: string): Manifest {
  const root: At = { url, field: "" };
  const given = object(value, root);
  const get = (key: string) => own(given, key);
  const at = (key: string) => under(root, key);
  const time = (key: string) => optional(get(key), (value) => isoTime(value, at(key)));
  const words = (key: string) => optional(get(key), (value) => text(value, at(key)));
  if (get("insitu") === undefined)
    refuse(at("insitu"), `is missing: this is not the manifest of a model package. ${ADVICE}`);
  if (get("insitu") !== 1) {
    refuse(
      at("insitu"),
      `is ${show(get("insitu"))}, this version of the library reads 1 only. Update the library, or pack the model again`,
    );
  }
  const files = parseFiles(get("files"), at("files"));
  const inputs = parseInputs(get("inputs"), at("inputs"));
  const outputs = parseOutputs(get("outputs"), at("outputs"));
  const task = parseTask(get("task"), outputs, at("task"));
  return compact({
    insitu: 1,
    name: modelName(get("name"), at("name")),
    version: matching(get("version"), SEMVER, "a semantic version such as 1.0.0", at("version")),
    release: integer(get("release"), at("release"), 0),
    created: time("created"),
    expires: time("expires"),
    format: oneOf(get("format"), FORMATS, at("format")),
    files,
    inputs,
    outputs,
    task,
    embedding: optional(get("embedding"), (value) => parseEmbedding(value, at("embedding"))),
    selfTest: optional(get("selfTest"), (value) => parseSelfTestSpecs(value, files, at("selfTest"))),
    plans: optional(get("plans"), (value) => parsePlanSpecs(value, files, inputs, at("plans"))),
    reference: optional(get("reference"), (value) => parseReference(value, inputs, task, at("reference"))),
    signatures: optional(get("signatures"), (value) => parseSignatures(value, at("signatures"))),
    license: words("license"),
    source: words("source"),
    metrics: optional(get("metrics"), (value) => parseMetrics(value, at("metrics"))),
  } satisfies Manifest);
}

// ---- files -------------------------------------------------------------------------------------------------------

function parseFiles(value: unknown, at: At): FileSpec[] {
  const files = filled(value, at).map((item, index) => parseFile(item, under(at, index)));
  unique(
    files.map(({ path }) => path),
    at,
  );
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (total <= MAX_PACKAGE_BYTES) return files;
  const data = { ...at, total, max: MAX_PACKAGE_BYTES };
  throw new InsituError(
    "model_too_large",
    `${at.url} lists files of ${total} bytes; a page can hold 4 GiB at most.`,
    data,
  );
}

function parseFile(value: unknown, at: At): FileSpec {
  const given = object(value, at);
  const path = text(own(given, "path"), under(at, "path"));
  const problem = pathProblem(path);
  if (problem) refuse(under(at, "path"), `is ${show(path)}, which ${problem}`);
  const size = integer(own(given, "size"), under(at, "size"), 0);
  const whole = own(given, "sha256");
  const parts = own(given, "chunks");
  if ((whole === undefined) === (parts === undefined)) refuse(at, "must have either sha256 or chunks");
  if (whole !== undefined) return { path, size, sha256: parseHash(whole, under(at, "sha256")) };
  const chunks = filled(parts, under(at, "chunks")).map((item, index) =>
    parseChunk(item, under(under(at, "chunks"), index)),
  );
  const sum = chunks.reduce((total, chunk) => total + chunk.size, 0);
  if (sum !== size) refuse(under(at, "chunks"), `add up to ${sum} bytes, the file has ${size}`);
  return { path, size, chunks };
}

function parseChunk(value: unknown, at: At): ChunkSpec {
  const given = object(value, at);
  return {
    size: integer(own(given, "size"), under(at, "size"), 1),
    sha256: parseHash(own(given, "sha256"), under(at, "sha256")),
  };
}

const parseHash = (value: unknown, at: At): string =>
  matching(value, HEX_SHA256, "a SHA-256 of 64 lower-case hex digits", at);

/**
 * The absolute URL of a package's file, always inside `base`, the absolute URL of its folder. Throws `model_format` for a path
 * that could leave the folder, reach another host, or carry a query.
 */
export function resolveFile(base: string, path: string): string {
  const at: At = { url: base, field: "path" };
  const problem = pathProblem(path);
  if (problem) refuse(at, `is ${show(path)}, which ${problem}`);
  const folder = new URL(".", base).href;
  const { href } = new URL(path, folder);
  // The rules above should make this impossible; it is the promise, so it is checked on what is fetched.
  if (!href.startsWith(folder) || href === folder) refuse(at, `is ${show(path)}, which leaves the package's folder`);
  return href;
}

// ---- inputs, outputs, the rest -----------------------------------------------------------------------------------

function parseTensor(value: unknown, at: At): TensorSpec {
  const given = object(value, at);
  return {
    name: keyName(own(given, "name"), under(at, "name")),
    dtype: oneOf(own(given, "dtype"), DTYPES, under(at, "dtype")),
    shape: shape(own(given, "shape"), under(at, "shape"), -1),
  };
}

function parseInputs(value: unknown, at: At): InputSpec[] {
  const inputs = filled(value, at).map((item, index): InputSpec => {
    const here = under(at, index);
    const given = object(item, here);
    const input = parseTensor(item, here);
    const image = own(given, "image");
    return {
      ...input,
      ...(image !== undefined && { image: parseImage(image, input, under(here, "image")) }),
      ...flag(given, "allowNonFinite", here),
      ...parseRange(own(given, "range"), under(here, "range")),
    };
  });
  unique(
    inputs.map(({ name }) => name),
    at,
  );
  return inputs;
}

function parseRange(value: unknown, at: At): Pick<InputSpec, "range"> {
  if (value === undefined) return {};
  const [low, high, ...more] = list(value, at).map((item) => finite(item, at));
  if (low === undefined || high === undefined || low > high || more.length > 0)
    refuse(at, "must be the lowest and the highest number");
  return { range: [low, high] };
}

/** A field that is true, or absent. */
function flag<K extends string>(given: Record<string, unknown>, key: K, at: At): { [key in K]?: true } {
  const value = own(given, key) ?? false;
  if (typeof value !== "boolean") refuse(under(at, key), `is ${show(value)}, it must be true or false`);
  return (value ? { [key]: true } : {}) as { [key in K]?: true };
}

function parseOutputs(value: unknown, at: At): OutputSpec[] {
  const outputs = filled(value, at).map((item, index): OutputSpec => {
    const here = under(at, index);
    return { ...parseTensor(item, here), ...flag(object(item, here), "allowInfinite", here) };
  });
  unique(
    outputs.map(({ name }) => name),
    at,
  );
  return outputs;
}

function parseEmbedding(value: unknown, at: At): EmbeddingSpec {
  const given = object(value, at);
  return {
    node: keyName(own(given, "node"), under(at, "node")),
    pool: oneOf(own(given, "pool") ?? "mean", ["mean", "none"] as const, under(at, "pool")),
  };
}

function parseMetrics(value: unknown, at: At): Record<string, number> {
  const entries = Object.entries(object(value, at));
  return Object.fromEntries(
    entries.map(([name, figure]) => [keyName(name, under(at, name)), finite(figure, under(at, name))]),
  );
}
