// The sample classes: crops of three photos. Examples come from the left halves, trials from the right halves.

export const SURFACES = ["brick", "grass", "gravel"] as const;
export type Surface = (typeof SURFACES)[number];

const CROP = 128;
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

/** A square at a random position in one half. The caller closes it. */
export async function cropOf(surface: Surface, half: "left" | "right"): Promise<ImageBitmap> {
  const whole = await photo(`texture-${surface}`);
  const from = half === "left" ? 0 : whole.width / 2;
  const x = from + Math.floor(Math.random() * (whole.width / 2 - CROP));
  const y = Math.floor(Math.random() * (whole.height - CROP));
  return createImageBitmap(whole, x, y, CROP, CROP);
}

/** A photo that shows none of the surfaces. The caller closes it. */
export const otherPhoto = async (): Promise<ImageBitmap> => createImageBitmap(await photo("coffee"));

export const isSurface = (name: string): name is Surface => SURFACES.some((surface) => surface === name);
