// Fills the table of versions, with a button that puts an earlier version back into use.
import type { PersonalVersion } from "insitu";
import { byId, make } from "../dom.js";
import { showFailure } from "../failures.js";
import { percent } from "../words.js";

const HEADS = { "nearest-mean": "nearest mean", softmax: "softmax layer" } as const;
const COLUMNS = ["Version", "Classifier", "Correct", "Pictures", "Reason"];

/** The rows that are in the table, by what they show. */
const shown = new Map<string, HTMLTableRowElement>();

/** The newest version comes first. A row that shows the same as before stays, so that a press on its button counts. */
export function showVersions(
  versions: PersonalVersion[],
  active: number,
  activate: (version: number) => Promise<void>,
): void {
  const rows = versions.toReversed().map((version) => {
    const key = JSON.stringify([version, version.version === active]);
    return [key, shown.get(key) ?? row(version, active, activate)] as const;
  });
  shown.clear();
  for (const [key, element] of rows) shown.set(key, element);
  showRows(shown.size > 0 ? [...shown.values()] : [noRow()]);
}

/** Moves none of the rows that stay: it would take the focus away. */
function showRows(rows: HTMLTableRowElement[]): void {
  const body = byId("versions", HTMLElement);
  for (const row of [...body.children]) if (!rows.some((each) => each === row)) row.remove();
  for (const [index, row] of rows.entries()) {
    const there = body.children[index];
    if (there !== row) body.insertBefore(row, there ?? null);
  }
}

function noRow(): HTMLTableRowElement {
  const none = make("td", "", "None yet. Each training creates one.");
  none.colSpan = COLUMNS.length + 1;
  return make("tr", "", none);
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
