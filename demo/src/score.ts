// The slider of the lowest score that an object is shown with.
import { byId } from "./dom.js";
import { percent } from "./words.js";

export interface ScoreSlider {
  /** 0 to 1. */
  readonly current: number;
}

export function connectScore(onChange: (minScore: number) => void): ScoreSlider {
  const slider = byId("score", HTMLInputElement);
  const output = byId("score-value", HTMLOutputElement);
  const show = () => {
    output.textContent = percent(slider.valueAsNumber);
    slider.setAttribute("aria-valuetext", percent(slider.valueAsNumber));
  };
  show();
  slider.addEventListener("input", () => {
    show();
    onChange(slider.valueAsNumber);
  });
  return {
    get current() {
      return slider.valueAsNumber;
    },
  };
}
