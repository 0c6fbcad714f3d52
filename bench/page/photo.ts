// Loads a picture of the page, decoded before any clock runs.
export async function photo(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
