// Loads and decodes a picture before anything is timed.
export async function photo(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
