// Runs in the page: predicts on 1080p images, a different one in each round.
import type { createClient as CreateClient, ImageInput, PredictionTimings } from "../../src/index.js";

/** `blockedMs` is how long `predict` blocked the main thread before it returned its promise. */
export async function measure(
  createClient: typeof CreateClient,
  kind: string,
  rounds: number,
): Promise<(PredictionTimings & { blockedMs: number })[]> {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1920, height: 1080 });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.drawImage(await createImageBitmap(await (await fetch("/photos/chelsea.jpg")).blob()), 0, 0, 1920, 1080);
  // A different image in each round, since browsers cache resized images.
  const change = () => context.fillRect(Math.random() * 1900, Math.random() * 1000, 9, 9);
  const toBlob = () => new Promise<Blob>((resolve) => canvas.toBlob((blob) => resolve(blob as Blob), "image/jpeg"));
  const element = async () => {
    const image = new Image();
    image.src = URL.createObjectURL(await toBlob());
    await image.decode();
    return image;
  };
  const shown = await element();
  const makers: Record<string, () => ImageInput | Promise<ImageInput>> = {
    bitmap: () => createImageBitmap(canvas),
    canvas: () => canvas,
    "image element": () => shown,
    "image data": () => context.getImageData(0, 0, 1920, 1080),
    frame: () => new VideoFrame(canvas, { timestamp: 0 }),
    "JPEG file, decoding": toBlob,
    "new image element, decoding": element,
  };
  const client = createClient({ backends: ["wasm"] });
  const model = await client.load("/models/pictures/");
  await model.tuned;
  const samples: (PredictionTimings & { blockedMs: number })[] = [];
  for (let round = -2; round < rounds; round += 1) {
    change();
    const input = (await makers[kind]?.()) as ImageInput;
    const started = performance.now();
    const running = model.predict(input);
    const blockedMs = performance.now() - started;
    const { timings } = await running;
    // The first two rounds compile code.
    if (round >= 0) samples.push({ ...timings, blockedMs });
    if (input instanceof VideoFrame || input instanceof ImageBitmap) input.close();
  }
  await client.dispose();
  return samples;
}
