// An app that uses insitu without any configuration: loads a package and reads a digit.
import { type ClassScore, createClient } from "insitu";

declare global {
  interface Window {
    /** Reads a digit of 28 x 28 grey values, 0 (background) to 255 (ink). */
    read(grey: number[]): Promise<{ best: ClassScore | undefined; backend: string; refused: string[] }>;
  }
}

const SIDE = 28;
const client = createClient();

window.read = async (grey) => {
  const model = await client.load("/models/digits/", { task: "classification" });
  const pixels = new ImageData(SIDE, SIDE);
  for (const [index, value] of grey.entries()) pixels.data.set([value, value, value, 255], 4 * index);
  const canvas = document.createElement("canvas");
  canvas.width = SIDE;
  canvas.height = SIDE;
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  const { value, backend } = await model.predict(canvas);
  const refused = model.info.refused.map((refusal) => `${refusal.backend}: ${refusal.reason}`);
  await model.dispose();
  return { best: value[0], backend, refused };
};

const state = document.querySelector("#state");
if (state) state.textContent = "ready";
