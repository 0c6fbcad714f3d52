// Lists the detected objects as text beside the picture.
import type { Detection } from "insitu";
import { classColour } from "./colours.js";
import { byId, make } from "./dom.js";
import { percent } from "./words.js";

// A longer list would push the timings out of view; the boxes on the picture show all objects.
const MAX_LISTED = 8;

/** `hidden` is the number of objects whose score is too low to be shown. */
export function listFound(found: Detection[], hidden = 0): void {
  const list = byId("found", HTMLElement);
  if (found.length === 0) {
    const less = hidden > 0 ? ` ${hidden} with a lower score.` : " The model knows 80 kinds of everyday objects.";
    listNothing(`No objects.${less}`);
    return;
  }
  const rest = found.length - MAX_LISTED;
  list.replaceChildren(...found.slice(0, MAX_LISTED).map(line));
  if (rest > 0) list.append(make("li", "none", `and ${rest} more on the picture`));
}

/** Shown in place of a result. */
export function listNothing(text: string): void {
  byId("found", HTMLElement).replaceChildren(make("li", "none", text));
}

function line({ label, index, score }: Detection): HTMLLIElement {
  const swatch = make("span", "swatch");
  swatch.style.background = classColour(index);
  return make("li", "", swatch, make("span", "", label), make("span", "number", percent(score)));
}

/** Returns `cat 42 %, person 31 %`, for the status line that screen readers announce. */
export function inWords(found: Detection[]): string {
  if (found.length === 0) return "no objects";
  const first = found.slice(0, 3).map(({ label, score }) => `${label} ${percent(score)}`);
  return first.join(", ") + (found.length > 3 ? ` and ${found.length - 3} more` : "");
}
