// The digit section: what is drawn goes to the model, what it says to the chart.
import type { Model } from "insitu";
import { showChart } from "./chart.js";
import { byId, make } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";
import { createPad } from "./pad.js";
import { SAMPLE_DIGITS } from "./sample-digits.js";
import { asDigit, type Stroke } from "./strokes.js";
import { duration, percent } from "./words.js";

export interface Digits {
  /** From now on with this model; what is drawn is read again. */
  use(model: Promise<Model<"classification">>): void;
}

const INVITATION = "Draw a digit from 0 to 9.";

export function connectDigits(onPrediction: () => void): Digits {
  const said = byId("digit-said", HTMLElement);
  const pad = createPad(byId("pad", HTMLCanvasElement), (strokes) => void read(strokes));
  let model: Promise<Model<"classification">> | undefined;
  let drawn: Stroke[] = [];

  const read = async (strokes: Stroke[]) => {
    drawn = strokes;
    const picture = asDigit(strokes);
    if (!picture || !model) return;
    hideFailure();
    try {
      const { value, timings, backend } = await (await model).predict(picture);
      // More was drawn, or it was cleared, while the model looked.
      if (drawn !== strokes) return;
      showChart(value);
      const [best] = value;
      if (best) {
        said.textContent = `${best.label}, ${percent(best.score)} sure, in ${duration(timings.totalMs)} on ${backend}.`;
      }
      onPrediction();
    } catch (error) {
      if (drawn !== strokes) return;
      said.textContent = "No result.";
      showFailure(error);
    }
  };

  const clear = () => {
    drawn = [];
    pad.set([]);
    showChart([]);
    said.textContent = INVITATION;
  };

  byId("digit-samples", HTMLElement).replaceChildren(
    ...SAMPLE_DIGITS.map((strokes, digit) => {
      const button = make("button", "button", String(digit));
      button.type = "button";
      button.setAttribute("aria-label", `Sample ${digit}`);
      button.addEventListener("click", () => {
        // A copy: another click on the same sample is another drawing.
        const copy = [...strokes];
        pad.set(copy);
        void read(copy);
      });
      return button;
    }),
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
