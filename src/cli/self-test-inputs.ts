// Chooses the inputs that a self-test is tried with: noise, a photo, or a picture of the publisher's.
import { InsituError } from "../shared/errors.js";
import type { ImageSpec, InputSpec } from "../shared/types/manifest.js";
import { sampleShape } from "../worker/package/sample-shape.js";
import type { Noise } from "../worker/package/seeded-noise.js";

export interface InputText {
  text: string;
  /** Where the text comes from, for messages. */
  path: string;
  /** What is tried, for the progress. */
  about: string;
}

type Range = Pick<Noise, "low" | "high">;

/**
 * Noise in the range of each input; then, since a model may return nothing for noise, or the same for all of it: weaker noise, a photo, and
 * other seeds, since by chance the outputs of one may be near 0. In the order in which they are tried.
 */
export function defaultInputs(inputs: InputSpec[]): (() => Promise<InputText>)[] {
  const noise = (seed: number, factor = 1) => {
    const about = `noise (seed ${seed}${factor === 1 ? "" : `, ${factor} times as strong`}${tokensText(inputs)})`;
    return async () => ({ text: noiseText(inputs, seed, factor), path: "the default self-test input", about });
  };
  const photo = inputs.some(isImageLike) ? [() => photoInput(inputs)] : [];
  return [noise(0), noise(1), ...photo, noise(2, 0.25), noise(3, 4), noise(2), noise(3)];
}

/** Images get pixels as the manifest normalizes them; other inputs get small numbers, which are valid as indices too. */
export function noiseRange({ dtype, shape, image, range }: InputSpec): Range {
  if (image) return pixelRange(image);
  // Whole numbers are rounded down.
  if (range) return { low: range[0], high: range[1] + (dtype === "float32" ? 0 : 1) };
  if (dtype !== "float32") return { low: 0, high: 2 };
  return { low: shape.length === 4 ? 0 : -1, high: 1 };
}

/** What the noise is for tokens and the like, which a reader cannot guess. */
function tokensText(inputs: InputSpec[]): string {
  const found = inputs.filter(({ dtype, image, range }) => (dtype === "int32" || range) && !image);
  return found
    .map((input) => {
      const { low, high } = noiseRange(input);
      return `, ${input.name}: numbers from ${low} to ${input.dtype === "float32" ? high : high - 1}`;
    })
    .join("");
}

function pixelRange({ scale = 1, mean = [], std = [] }: Partial<ImageSpec>): Range {
  const channels = mean.length || std.length ? Math.max(mean.length, std.length) : 1;
  const bounds = Array.from({ length: channels }, (_, channel) =>
    [0, 255].map((pixel) => (pixel * scale - (mean[channel] ?? 0)) / (std[channel] ?? 1)),
  ).flat();
  return { low: Math.min(...bounds), high: Math.max(...bounds) };
}

function noiseText(inputs: InputSpec[], seed: number, factor: number): string {
  return jsonText(
    inputs.map((input, index) => [input.name, noiseTensor(input, index + 1 + seed * inputs.length, factor)]),
  );
}

function noiseTensor(input: InputSpec, seed: number, factor = 1): object {
  const { low, high } = noiseRange(input);
  const { dtype, shape } = input;
  // Images keep to valid pixels.
  const most = input.image || input.range ? Math.min(factor, 1) : factor;
  const range = dtype === "float32" ? { low: low * most, high: high * most } : { low, high };
  return { dtype, shape: sampleShape(shape), noise: { seed, ...range } };
}

const jsonText = (tensors: [name: string, tensor: object][]): string =>
  `${JSON.stringify(Object.fromEntries(tensors), null, 2)}\n`;

// ---- images ------------------------------------------------------------------------------------------------------

/** Whether the input takes images, as far as its spec and its shape tell. */
function isImageLike({ image, dtype, shape }: InputSpec): boolean {
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  return (
    image !== undefined || (dtype !== "bool" && shape.length === 4 && (isChannels(shape[3]) || isChannels(shape[1])))
  );
}

/** The photo that comes with insitu, for each input that takes images; noise for the others. */
async function photoInput(inputs: InputSpec[]): Promise<InputText> {
  const { catPhoto } = await import("./photo.js");
  return { text: await imageText(inputs, catPhoto()), path: "the default self-test input", about: "a photo" };
}

/** The file of a JPEG or PNG image as a self-test's input. Throws `input_invalid` if no input takes images, or for a broken file. */
export async function imageFileInput(inputs: InputSpec[], bytes: Uint8Array, path: string): Promise<InputText> {
  if (!inputs.some(isImageLike)) {
    const names = inputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ");
    const message = `${path} is an image, but no input of the model takes one: ${names}. Pass a JSON file with the numbers to --self-test (see "insitu pack --help").`;
    throw new InsituError("input_invalid", message, { path });
  }
  return { text: await imageText(inputs, bytes, path), path, about: path };
}

async function imageText(inputs: InputSpec[], bytes: Uint8Array, path = "the photo"): Promise<string> {
  const { decodePhoto, fitPhoto } = await import("./photo.js");
  const photo = decodePhoto(bytes, path);
  return jsonText(
    inputs.map((input, index) => {
      if (!isImageLike(input)) return [input.name, noiseTensor(input, index + 1)];
      const { dtype, image } = input;
      const shape = sampleShape(input.shape);
      // Pixels in the order of the input, each of 0 to 255.
      const pixels = fitPhoto(photo, shape, image);
      return [
        input.name,
        { dtype, shape, bytes: { data: Buffer.from(pixels).toString("base64"), ...byteRange(input) } },
      ];
    }),
  );
}

/** What the bytes 0 and 255 stand for: one range for all channels, which is near enough where each has its own. */
function byteRange({ image, dtype }: InputSpec): Range {
  if (image) return pixelRange(image);
  return { low: 0, high: dtype === "float32" ? 1 : 255 };
}

/** Whether the file begins as JPEG or PNG do. */
export function isImageFile(head: Uint8Array): boolean {
  const [a, b, c, d] = head;
  return (a === 0xff && b === 0xd8 && c === 0xff) || (a === 0x89 && b === 0x50 && c === 0x4e && d === 0x47);
}
