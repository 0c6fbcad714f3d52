// Fills the table of versions, with a button that puts an earlier version back into use.
import type { PersonalVersion } from "insitu";
import { byId, make } from "../dom.js";
import { showFailure } from "../failures.js";
import { percent } from "../words.js";

const HEADS = { "nearest-mean": "nearest mean", softmax: "softmax layer" } as const;
const COLUMNS = ["Version", "Classifier", "Correct", "Pictures", "Reason"];

/** The newest version comes first. */
export function showVersions(
  versions: PersonalVersion[],
  active: number,
  activate: (version: number) => Promise<void>,
): void {
  const rows = versions.toReversed().map((version) => row(version, active, activate));
  const none = make("td", "", "None yet. Each training creates one.");
  none.colSpan = COLUMNS.length + 1;
  byId("versions", HTMLElement).replaceChildren(...(rows.length > 0 ? rows : [make("tr", "", none)]));
}

function row(
  version: PersonalVersion,
  active: number,
  activate: (version: number) => Promise<void>,
): HTMLTableRowElement {
  const pictures = Object.values(version.counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
  const number = cell("th", COLUMNS[0], String(version.version));
  number.scope = "row";
  const texts = [HEADS[version.head], accuracyText(version), String(pictures), version.reason];
  const cells = texts.map((text, index) => cell("td", COLUMNS[index + 1], text));
  const isActive = version.version === active;
  const use = make("td");
  if (isActive) use.append(make("strong", "", "in use"));
  else if (version.usable) use.append(useButton(version.version, activate));
  else use.append("for another model");
  return make("tr", isActive ? "active" : "", number, ...cells, use);
}

function accuracyText({ judged, head }: PersonalVersion): string {
  const measured = judged[head];
  if (measured?.accuracy === undefined) return "not measured yet";
  const [low, high] = measured.interval;
  return `${measured.correct} of ${measured.examples} (${percent(low)} to ${percent(high)})`;
}

/** On a narrow screen the heading row is hidden, and the style sheet shows each cell's own column name. */
function cell<K extends "td" | "th">(tag: K, column: string | undefined, text: string): HTMLElementTagNameMap[K] {
  const made = make(tag, "", text);
  made.dataset.label = column;
  return made;
}

function useButton(version: number, activate: (version: number) => Promise<void>): HTMLButtonElement {
  const button = make("button", "button small", "Use");
  button.type = "button";
  button.setAttribute("aria-label", `Use version ${version}`);
  button.addEventListener("click", () => void activate(version).catch(showFailure));
  return button;
}
