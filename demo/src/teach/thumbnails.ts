// Small pictures of the examples, for this visit only.

const SIDE = 56;

/** Returns a data URL of the central square. */
export async function thumbnail(input: ImageBitmap | Blob): Promise<string> {
  const picture = await createImageBitmap(input);
  const canvas = document.createElement("canvas");
  canvas.width = SIDE;
  canvas.height = SIDE;
  drawSquare(canvas, picture, picture.width, picture.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", 0.8);
}

/** Draws the central square of a picture, scaled to the canvas: the part that the model uses. */
export function drawSquare(canvas: HTMLCanvasElement, picture: CanvasImageSource, width: number, height: number): void {
  const side = Math.min(width, height);
  const at = [(width - side) / 2, (height - side) / 2] as const;
  canvas.getContext("2d")?.drawImage(picture, ...at, side, side, 0, 0, canvas.width, canvas.height);
}
