// The digit section: sends the drawing to the model and shows the result.
import type { Model } from "insitu";
import { showChart } from "./chart.js";
import { byId, make } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import { createPad } from "./pad.js";
import { SAMPLE_DIGITS } from "./sample-digits.js";
import { asDigit, type Stroke } from "./strokes.js";
import { duration, percent } from "./words.js";

export interface Digits {
  /** Sets the model. The current drawing is recognised again with it. */
  use(model: Promise<Model<"classification">>): void;
}

const HINT = "Draw a digit from 0 to 9.";

export function connectDigits(onPrediction: () => void): Digits {
  const output = byId("digit-said", HTMLElement);
  const pad = createPad(byId("pad", HTMLCanvasElement), (strokes) => void read(strokes));
  let model: Promise<Model<"classification">> | undefined;
  let drawn: Stroke[] = [];

  const read = async (strokes: Stroke[]) => {
    drawn = strokes;
    const picture = asDigit(strokes);
    const used = model;
    if (!picture || !used) return;
    // Another drawing, or another model reads the same one again.
    const isOutdated = () => drawn !== strokes || model !== used;
    hideFailure();
    try {
      const { value, timings, backend } = await (await used).predict(picture);
      if (isOutdated()) return;
      showChart(value);
      const [best] = value;
      if (best) {
        output.textContent = `${best.label}, ${percent(best.score)}, in ${duration(timings.totalMs)} on ${backend}.`;
      }
      onPrediction();
    } catch (error) {
      if (isOutdated()) return;
      showChart([]);
      output.textContent = "No result.";
      showFailure(error);
    }
  };

  const clear = () => {
    drawn = [];
    pad.set([]);
    showChart([]);
    output.textContent = HINT;
  };

  const draw = (strokes: Stroke[]) => {
    pad.set(strokes);
    void read(strokes);
  };
  byId("digit-samples", HTMLElement).replaceChildren(
    // A copy, so that a second click on the same sample counts as a new drawing.
    ...SAMPLE_DIGITS.map((strokes, digit) => sampleButton(digit, () => draw([...strokes]))),
  );
  byId("clear", HTMLButtonElement).addEventListener("click", clear);
  clear();

  return {
    use(next) {
      model = next;
      if (drawn.length > 0) void read(drawn);
    },
  };
}

function sampleButton(digit: number, run: () => void): HTMLButtonElement {
  const button = make("button", "button", String(digit));
  button.type = "button";
  button.setAttribute("aria-label", `Sample ${digit}`);
  button.addEventListener("click", run);
  return button;
}
