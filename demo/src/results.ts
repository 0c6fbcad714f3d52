// Lists what was found, as text beside the picture.
import type { Detection } from "insitu";
import { classColour } from "./colours.js";
import { byId, make } from "./dom.js";
import { percent } from "./words.js";

// More would scroll the timings away; the boxes on the picture show all.
const LISTED = 8;

export function listFound(found: Detection[]): void {
  const list = byId("found", HTMLElement);
  if (found.length === 0) {
    list.replaceChildren(make("li", "none", "Nothing that this model knows. It knows 80 everyday things."));
    return;
  }
  const rest = found.length - LISTED;
  list.replaceChildren(...found.slice(0, LISTED).map(line));
  if (rest > 0) list.append(make("li", "none", `and ${rest} more on the picture`));
}

/** Before there is a result to show. */
export function listWaiting(): void {
  byId("found", HTMLElement).replaceChildren(make("li", "none", "Nothing yet."));
}

function line({ label, index, score }: Detection): HTMLLIElement {
  const swatch = make("span", "swatch");
  swatch.style.background = classColour(index);
  return make("li", "", swatch, make("span", "", label), make("span", "number", percent(score)));
}

/** `cat 42 %, person 31 %`, for the line that screen readers announce. */
export function inWords(found: Detection[]): string {
  if (found.length === 0) return "nothing that this model knows";
  const first = found.slice(0, 3).map(({ label, score }) => `${label} ${percent(score)}`);
  return first.join(", ") + (found.length > 3 ? ` and ${found.length - 3} more` : "");
}
