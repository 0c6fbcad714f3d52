// Reads the inputs of a reference: a folder of images and input.json files, a table, or a JSON file of inputs.
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import { imageShape } from "../shared/letterbox.js";
import type { InputSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { parseSelfTestInput } from "../worker/package/self-test-files.js";
import { fileSize, readText } from "./files.js";
import type { InputSource, ReferenceInput } from "./make-profile.js";
import { isImageFile } from "./self-test-inputs.js";
import { readTable } from "./table-inputs.js";

const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** Throws `input_invalid` for a path that is none of these, or does not fit the model. */
export async function findInputs(path: string, inputs: InputSpec[], columns?: string[]): Promise<InputSource> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw wrongPath(path, "does not exist");
  if (found.isDirectory()) return findFiles(path, inputs);
  if (found.size > MAX_FILE_BYTES) throw wrongPath(path, `is larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  const kind = extname(path).toLowerCase();
  if (kind === ".csv") return readTable(await readText(path), path, inputs, columns);
  if (kind === ".json") return readList(await readText(path), path, inputs);
  throw wrongPath(path, "is neither a folder nor a .csv or .json file");
}

function wrongPath(path: string, problem: string): InsituError {
  const message = `${path} ${problem}. Pass a folder of JPEG, PNG or input.json files, a .csv file, or a .json file with a list of inputs.`;
  return new InsituError("input_invalid", message, { path });
}

async function findFiles(folder: string, inputs: InputSpec[]): Promise<InputSource> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const source: InputSource = { inputs: [], skipped: [] };
  for (const path of paths) {
    const kind = extname(path).toLowerCase();
    if ([".jpg", ".jpeg", ".png"].includes(kind)) source.inputs.push({ path, read: () => readImage(path, inputs) });
    else if (kind === ".json")
      source.inputs.push({ path, read: async () => fromJson(await readText(path), path, inputs) });
    else source.skipped.push(`${path}: not a JPEG, PNG or input.json`);
  }
  return source;
}

async function readList(text: string, path: string, inputs: InputSpec[]): Promise<InputSource> {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new InsituError("input_invalid", `${path} is not JSON. Pass a list of inputs.`, { path }, { cause });
  }
  const items = Array.isArray(list) ? list : [list];
  return {
    inputs: items.map((item, index) => {
      const where = `${path}[${index}]`;
      return { path: where, read: async () => fromJson(JSON.stringify(item), where, inputs) };
    }),
    skipped: [],
  };
}

/** An input in the form of `insitu pack --self-test`. Of an image in it the size is not known. */
function fromJson(text: string, path: string, inputs: InputSpec[]): ReferenceInput {
  const feeds = parseSelfTestInput(text, inputs, path);
  const sizes = inputs.flatMap((input) => {
    const [, ...shape] = feeds[input.name]?.shape ?? [];
    const { width, height } = imageShape({ ...input, shape: [1, ...shape] });
    return input.image ? [[input.name, { width, height }] as const] : [];
  });
  return { feeds, sizes: Object.fromEntries(sizes), path };
}

async function readImage(path: string, inputs: InputSpec[]): Promise<ReferenceInput> {
  const [input] = inputs;
  if (inputs.length !== 1 || !input?.image) {
    const message = `${path} is an image, but the model ${inputs.length > 1 ? "has several inputs" : "takes numbers"}. Pass input.json files or a .csv file.`;
    throw new InsituError("input_invalid", message, { path });
  }
  if ((await fileSize(path)) > MAX_FILE_BYTES) throw wrongPath(path, "is too large for an image");
  const bytes = await readFile(path);
  if (!isImageFile(bytes))
    throw new InsituError("input_invalid", `${path} does not begin as JPEG or PNG do.`, { path });
  const { decodePhoto, fitPhoto } = await import("./photo.js");
  const photo = decodePhoto(bytes, path);
  // Open sides are those of the image itself, as in a page.
  const { width, height, channels } = imageShape(input);
  const sides = width < 0 ? photo : { width, height };
  const isPlanar = input.image.layout === "nchw";
  const shape = isPlanar ? [1, channels, sides.height, sides.width] : [1, sides.height, sides.width, channels];
  const pixels = fitPhoto(photo, shape, input.image);
  const feed = { data: normalised(pixels, channels, isPlanar, input), shape, dtype: input.dtype };
  return {
    feeds: { [input.name]: feed },
    sizes: { [input.name]: { width: photo.width, height: photo.height } },
    path,
  };
}

function normalised(pixels: Uint8Array, channels: number, isPlanar: boolean, input: InputSpec): TensorData["data"] {
  const { scale, mean, std } = input.image as NonNullable<InputSpec["image"]>;
  const data = new (input.dtype === "int32" ? Int32Array : Float32Array)(pixels.length);
  for (let i = 0; i < pixels.length; i += 1) {
    const channel = isPlanar ? Math.floor((i * channels) / pixels.length) : i % channels;
    const value = ((pixels[i] as number) * scale - (mean[channel] ?? 0)) / (std[channel] ?? 1);
    data[i] = input.dtype === "int32" ? Math.round(value) : value;
  }
  return data;
}
