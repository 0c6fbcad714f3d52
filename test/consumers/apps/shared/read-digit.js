// What each app has in common: reads a digit of 28 x 28 grey values, 0 (background) to 255 (ink), with no option set.
import { createClient } from "insitu";

const SIDE = 28;
let client;

/** Tells the test what the model answered, or how it failed. */
export async function readDigit(grey) {
  client ??= createClient();
  try {
    const model = await client.load("/models/digits/", { task: "classification" });
    const pixels = new ImageData(SIDE, SIDE);
    for (const [index, value] of grey.entries()) pixels.data.set([value, value, value, 255], 4 * index);
    const { value, backend } = await model.predict(pixels);
    await model.stored;
    const refused = model.info.refused.map((refusal) => `${refusal.backend}: ${refusal.reason}`);
    const { source } = model.info;
    await model.dispose();
    return { label: value[0]?.label, backend, source, refused };
  } catch (error) {
    return { refused: [], error: `${error.code}: ${error.message}` };
  }
}

if (typeof window !== "undefined") {
  window.readDigit = readDigit;
  document.documentElement.dataset.app = "ready";
}
