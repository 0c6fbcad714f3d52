// Shows the probability of each of the ten digits as a bar.
import type { ClassScore } from "insitu";
import { byId, make } from "./dom.js";
import { percent } from "./words.js";

const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));

/** Without scores it shows ten empty bars. */
export function showChart(scores: ClassScore[]): void {
  const best = scores[0]?.label;
  const rows = DIGITS.map((digit) => {
    const score = scores.find(({ label }) => label === digit)?.score ?? 0;
    const fill = make("span");
    fill.style.width = `${score * 100}%`;
    const track = make("span", "track", fill);
    const number = scores.length > 0 ? percent(score) : "";
    return make("li", digit === best ? "best" : "", make("span", "", digit), track, make("span", "number", number));
  });
  byId("chart", HTMLElement).replaceChildren(...rows);
}
