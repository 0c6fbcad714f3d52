// Runs in the page: adds examples to personal models, exports their embeddings, and times predictions, additions and trainings.
import type { Client, ClientOptions, Model, PersonalModel } from "../../src/index.js";

type CreateClient = (options: ClientOptions) => Client;

/** A square crop of a photo. */
export interface Crop {
  photo: string;
  label: string;
  x: number;
  y: number;
}

const SIDE = 128;

async function open(createClient: CreateClient, folder: string): Promise<{ model: Model; mine: PersonalModel }> {
  const client = createClient({ backends: ["wasm"], storage: { name: `bench-${crypto.randomUUID()}` } });
  const model = await client.load(`/models/${folder}/`);
  await model.tuned;
  return { model, mine: await model.personalize("bench") };
}

async function cropBitmaps(crops: Crop[]): Promise<ImageBitmap[]> {
  const photos = new Map<string, ImageBitmap>();
  for (const { photo } of crops)
    if (!photos.has(photo))
      photos.set(photo, await createImageBitmap(await (await fetch(`/photos/${photo}.jpg`)).blob()));
  return Promise.all(
    crops.map(({ photo, x, y }) => createImageBitmap(photos.get(photo) as ImageBitmap, x, y, SIDE, SIDE)),
  );
}

/** The exported file in base64, so that it can be returned from the page. */
async function exported(mine: PersonalModel): Promise<string> {
  const bytes = new Uint8Array(await (await mine.export()).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

export async function embedCrops(createClient: CreateClient, folder: string, crops: Crop[]): Promise<string> {
  const { mine } = await open(createClient, folder);
  for (const [index, picture] of (await cropBitmaps(crops)).entries())
    await mine.addExample(picture, (crops[index] as Crop).label);
  return exported(mine);
}

/** Embeddings of digit images, and the model's own predictions for them. */
export async function embedDigits(createClient: CreateClient, digits: { pixels: number[]; label: string }[]) {
  const { model, mine } = await open(createClient, "digits");
  const read: number[] = [];
  for (const { pixels, label } of digits) {
    const image = Float32Array.from(pixels);
    await mine.addExample(image, label);
    read.push((await (model as Model<"classification">).predict(image)).value[0]?.index as number);
  }
  return { file: await exported(mine), read };
}

/** Returns milliseconds of predictions and additions, measured in turn. */
export async function addition(createClient: CreateClient, folder: string, crops: Crop[], rounds: number) {
  const { model, mine } = await open(createClient, folder);
  const pictures = folder === "digits" ? undefined : await cropBitmaps(crops);
  const input = (round: number) =>
    pictures?.[Math.abs(round) % pictures.length] ?? new Float32Array(784).fill(round / rounds);
  const spent: Record<"predict" | "add", number[]> = { predict: [], add: [] };
  for (let round = -3; round < rounds; round += 1)
    for (const side of round % 2 === 0 ? (["predict", "add"] as const) : (["add", "predict"] as const)) {
      const started = performance.now();
      if (side === "predict") await model.predict(input(round));
      else await mine.addExample(input(round), `class ${Math.abs(round) % 5}`);
      if (round >= 0) spent[side].push(performance.now() - started);
    }
  const { bytes, examples } = await mine.state();
  return { ...spent, bytesEach: bytes / examples };
}

/** Adds five classes of twenty examples and trains repeatedly; reports the longest task of the main thread from 50 ms. */
export async function training(createClient: CreateClient, folder: string, crops: Crop[], rounds: number) {
  const { mine } = await open(createClient, folder);
  const pictures = await cropBitmaps(crops);
  const held: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) held.push(duration);
  });
  observer.observe({ type: "longtask", buffered: false });
  for (const [index, picture] of pictures.entries()) await mine.addExample(picture, (crops[index] as Crop).label);
  const times: number[] = [];
  let heads: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    const { judged } = await mine.train();
    times.push(performance.now() - started);
    heads = Object.keys(judged);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  observer.disconnect();
  const { examples } = await mine.state();
  return { times, heads, longest: Math.max(0, ...held), examples };
}

/** Stored bytes of an example that keeps its photo. */
export async function keeping(createClient: CreateClient, folder: string, crops: Crop[]): Promise<number> {
  const { mine } = await open(createClient, folder);
  for (const picture of await cropBitmaps(crops)) await mine.addExample(picture, "kept", { keep: true });
  const { bytes, examples } = await mine.state();
  return bytes / examples;
}
