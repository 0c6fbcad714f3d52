// Shows the duration of each phase of a prediction, as a bar and as numbers.
import type { Backend, PredictionTimings } from "insitu";
import { byId, make } from "./dom.js";
import { duration } from "./words.js";

type Phase = Exclude<keyof PredictionTimings, "totalMs">;

// In order of execution, except that transfer happens in both directions. The colours also differ in lightness, for colour-blind visitors.
const PHASES: [phase: Phase, colour: string][] = [
  ["queueMs", "#8b95a1"],
  ["transferMs", "#c9a227"],
  ["preprocessMs", "#e0734c"],
  ["executeMs", "#2a8f86"],
  ["readbackMs", "#5b7fd6"],
  ["postprocessMs", "#a06cc0"],
];

export function showTimings(timings: PredictionTimings, backend: Backend): void {
  const bar = make("div", "bar");
  bar.setAttribute("aria-hidden", "true");
  const list = make("dl");
  for (const [phase, colour] of PHASES) {
    const part = make("span");
    // Styles set through the DOM are allowed by a strict Content-Security-Policy.
    part.style.background = colour;
    part.style.flexGrow = String(Math.max(timings[phase], 0));
    bar.append(part);
    const swatch = make("span", "swatch");
    swatch.style.background = colour;
    const row = make(
      "div",
      "",
      make("dt", "", swatch, String(phase).replace("Ms", "")),
      make("dd", "", duration(timings[phase])),
    );
    list.append(row);
  }
  const total = make("div", "total", make("dt", "", `total on ${backend}`), make("dd", "", duration(timings.totalMs)));
  list.append(total);
  byId("time", HTMLElement).replaceChildren(bar, list);
}

export function noTimings(): void {
  byId("time", HTMLElement).replaceChildren(make("p", "", "Shown with the first result."));
}
