// Shows the value of any task in words, and a table of the first numbers of each output.
import type { Detection, Prediction, TensorData } from "insitu";
import { make } from "../dom.js";
import { percent } from "../words.js";

const MAX_LISTED = 10;
const MAX_NUMBERS = 12;

export function showValue(into: HTMLElement, { value, outputs }: Prediction): void {
  into.replaceChildren(list(wordsOf(value)), ...Object.entries(outputs).map(outputOf));
}

/** The value's type is known by its form, whatever the task is. */
function wordsOf(value: Prediction["value"]): string[] {
  if (value instanceof Float32Array) return [`A vector of ${value.length} numbers: ${first(value)}`];
  if (!Array.isArray(value)) return Object.keys(value).map((name) => `Output ${name}, as it is.`);
  if (value.length === 0) return ["Nothing found."];
  const words = value.map((one) => {
    if (typeof one === "number") return String(one);
    if ("box" in one) return `${one.label}, ${percent(one.score)}, ${boxText(one)}`;
    return "label" in one
      ? `${one.label}, ${percent(one.score)}`
      : `candidate ${one.index + 1}, score ${Number(one.score.toPrecision(4))}`;
  });
  const rest = words.length - MAX_LISTED;
  return rest > 0 ? [...words.slice(0, MAX_LISTED), `and ${rest} more`] : words;
}

function boxText({ box }: Detection): string {
  const [x, y, width, height] = [box.x, box.y, box.width, box.height].map(Math.round);
  return `at ${x}, ${y}, ${width} × ${height} pixels`;
}

function outputOf([name, { data, shape, dtype }]: [string, TensorData]): HTMLElement {
  return make("p", "hint", `Output ${name}, ${dtype} ${shape.join(" × ")}: ${first(data)}`);
}

function first(data: TensorData["data"]): string {
  const shown = Array.from(data.subarray(0, MAX_NUMBERS), (number) => Number(number.toPrecision(4)));
  return `${shown.join(", ")}${data.length > MAX_NUMBERS ? ", …" : ""}`;
}

function list(lines: string[]): HTMLOListElement {
  const made = make("ol", "values");
  made.append(...lines.map((line) => make("li", "", line)));
  return made;
}

/** The detections of a value, to be drawn on the picture; empty for another task. */
export function boxesOf(value: Prediction["value"]): Detection[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is Detection => typeof one === "object" && "box" in one);
}
