// Reads the digit on the canvas, again after each stroke.
import { createClient, isInsituError } from "insitu";
import { drawOn } from "./draw";

const canvas = document.querySelector("canvas") as HTMLCanvasElement;
const output = document.querySelector("output") as HTMLOutputElement;
const button = document.querySelector("button") as HTMLButtonElement;

const client = createClient();
const loading = client.load("/models/digits/", {
  task: "classification",
  onProgress: ({ phase, loaded, total }) => (output.value = `${phase} ${Math.round((100 * loaded) / total)} %`),
});

async function read() {
  try {
    const model = await loading;
    const { value, backend, timings } = await model.predict(canvas);
    const [best] = value;
    output.value = best
      ? `${best.label}: ${Math.round(100 * best.score)} % (${backend}, ${timings.totalMs.toFixed(0)} ms)`
      : "";
  } catch (error) {
    output.value = isInsituError(error) ? `${error.code}: ${error.message}` : String(error);
  }
}

const clear = drawOn(canvas, read);
button.addEventListener("click", () => {
  clear();
  output.value = "Draw a digit";
});
read();
