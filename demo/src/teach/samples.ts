// The sample classes: crops of three photos that differ in colour and shape. Trials are crops of the mirrored photos.

export const SAMPLES = ["cat", "coffee", "rocket"] as const;
export type Sample = (typeof SAMPLES)[number];

/** Where the thing is in its photo, as shares of the photo's width and height. */
interface Place {
  file: string;
  x: number;
  y: number;
}

const PLACES: Record<Sample, Place> = {
  cat: { file: "chelsea", x: 0.45, y: 0.45 },
  coffee: { file: "coffee", x: 0.48, y: 0.37 },
  rocket: { file: "rocket", x: 0.5, y: 0.5 },
};
/** Sides of the crops, as shares of the photo's height. The more they vary, the more a class takes for its own, such as an astronaut for a cat. */
const MIN_SIDE = 0.75;
const MAX_SIDE = 0.95;
/** How far the middle of a crop is from the thing at most, as a share of the photo's height. */
const SHIFT = 0.08;

const photos = new Map<string, Promise<ImageBitmap>>();

async function fetchPhoto(name: string): Promise<ImageBitmap> {
  const response = await fetch(`/photos/${name}.jpg`);
  if (!response.ok) throw new Error(`The sample photo ${name}.jpg could not be loaded: HTTP ${response.status}.`);
  return createImageBitmap(await response.blob());
}

function photo(name: string): Promise<ImageBitmap> {
  const found = photos.get(name) ?? fetchPhoto(name);
  photos.set(name, found);
  // A failed photo is requested again next time.
  found.catch(() => photos.delete(name));
  return found;
}

/** A crop whose size is random, mirrored, so that it is no example. The caller closes it. */
export async function trialCrop(sample: Sample): Promise<ImageBitmap> {
  const crop = await cropOf(sample, Math.random());
  try {
    return mirrored(crop);
  } finally {
    crop.close();
  }
}

/**
 * Crops of every size, one from each part of the range: of five sizes at random all may be alike, or one unlike the others, and the limit for
 * unknown pictures is computed from how far examples are apart. The caller closes them.
 */
export function exampleCrops(sample: Sample, count: number): Promise<ImageBitmap[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => cropOf(sample, (index + Math.random()) / count)));
}

/** A square at a random position around the thing; its size is that share of the range. */
async function cropOf(sample: Sample, share: number): Promise<ImageBitmap> {
  const { file, x, y } = PLACES[sample];
  const whole = await photo(file);
  const { width, height } = whole;
  const side = Math.floor(height * (MIN_SIDE + share * (MAX_SIDE - MIN_SIDE)));
  const shift = () => (2 * Math.random() - 1) * SHIFT * height;
  const within = (at: number, most: number) => Math.round(Math.min(Math.max(at - side / 2, 0), most - side));
  return createImageBitmap(whole, within(x * width + shift(), width), within(y * height + shift(), height), side, side);
}

function mirrored(picture: ImageBitmap): ImageBitmap {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw a picture.");
  context.setTransform(-1, 0, 0, 1, picture.width, 0);
  context.drawImage(picture, 0, 0);
  return canvas.transferToImageBitmap();
}

/** A photo that shows none of the things. The caller closes it. */
export const otherPhoto = async (): Promise<ImageBitmap> => createImageBitmap(await photo("astronaut"));

export const isSample = (name: string): name is Sample => SAMPLES.some((sample) => sample === name);
