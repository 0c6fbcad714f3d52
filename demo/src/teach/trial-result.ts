// Shows a personal prediction: the class, a bar for each class, and how it was computed.
import type { PersonalPrediction } from "insitu";
import { byId, make } from "../dom.js";
import { duration, percent } from "../words.js";

const HEADS = { "nearest-mean": "nearest class mean", softmax: "softmax layer" } as const;

export function showResult({ label, value, head, version, distance, timings, backend }: PersonalPrediction): void {
  const [best] = value;
  const probability = best ? percent(best.score) : "";
  byId("said", HTMLElement).textContent =
    label === undefined ? "Unknown: it does not resemble the examples." : `${label}, ${probability}.`;
  byId("bars", HTMLOListElement).replaceChildren(...value.map((each) => bar(each, each.label === label)));
  const source = version === 0 ? "before the first training" : `version ${version}`;
  const far =
    distance > 1
      ? `, distance ${distance.toFixed(1)} times the limit for known classes. The bars only compare the known classes`
      : "";
  byId("how", HTMLElement).textContent =
    `${HEADS[head]}, ${source}, in ${duration(timings.totalMs)} on ${backend}${far}.`;
}

/** Without examples there is no result; `text` says what to do. */
export function showNoResult(text: string): void {
  byId("said", HTMLElement).textContent = text;
  byId("bars", HTMLOListElement).replaceChildren();
  byId("how", HTMLElement).textContent = "";
}

function bar({ label, score }: { label: string; score: number }, isResult: boolean): HTMLLIElement {
  const fill = make("span", "bar");
  fill.style.inlineSize = `${Math.max(0.5, score * 100)}%`;
  const name = make("span", "name", label);
  return make(
    "li",
    isResult ? "said-bar" : "",
    name,
    make("span", "track", fill),
    make("span", "share", percent(score)),
  );
}
