// Says in words what a plot shows under the mouse, the finger or the keyboard's cursor.
import type uPlot from "uplot";
import { type Chart, headOf, marksAt, placeOf, swatchOf, textAt } from "./chart.js";
import { make, write } from "./dom.js";
import { NONE } from "./format.js";

export interface Readout {
  element: HTMLElement;
  attach(plot: uPlot): void;
  /** Whenever the plot's cursor moved. */
  read(plot: uPlot): void;
  describe(chart: Chart, label: string): void;
}

const GAP = 14;

export function createReadout(): Readout {
  const element = make("div", "plot");
  const tip = make("div", "tip");
  const spoken = make("p", "spoken");
  tip.hidden = true;
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  spoken.setAttribute("aria-live", "polite");
  element.append(tip, spoken);
  let chart: Chart | null = null;
  let drawn: uPlot | null = null;

  const read = (plot: uPlot) => {
    const index = plot.cursor.idx;
    if (!chart || index === null || index === undefined || (plot.cursor.left ?? -1) < 0) {
      tip.hidden = true;
      return;
    }
    fill(tip, chart, index);
    tip.hidden = false;
    place(tip, element, plot.over.offsetLeft + plot.valToPos(placeOf(chart, index), "x"));
  };

  element.addEventListener("keydown", (event) => {
    if (!chart || !drawn) return;
    const index = target(event.key, drawn.cursor.idx ?? null, chart.times.length);
    if (index === null) return;
    event.preventDefault();
    drawn.setCursor({ left: drawn.valToPos(placeOf(chart, index), "x"), top: 1 });
    write(spoken, sentence(chart, index));
  });
  element.addEventListener("blur", () => drawn?.setCursor({ left: -10, top: -10 }));
  return {
    element,
    read,
    attach(plot) {
      drawn = plot;
      plot.root.setAttribute("aria-hidden", "true");
    },
    describe(next, label) {
      chart = next;
      element.setAttribute("aria-label", `${label}. ${summary(next)} Arrow keys read single steps.`);
      if (!tip.hidden && drawn) read(drawn);
    },
  };
}

function target(key: string, index: number | null, length: number): number | null {
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  if (key === "ArrowLeft") return Math.max(0, (index ?? length) - 1);
  if (key === "ArrowRight") return Math.min(length - 1, (index ?? -1) + 1);
  return null;
}

function rowsOf(chart: Chart, index: number) {
  return chart.lines
    .filter(({ kind }) => kind !== "edge")
    .map((line) => ({ line, text: textAt(chart, line, index) ?? NONE }));
}

function fill(tip: HTMLElement, chart: Chart, index: number): void {
  const rows = rowsOf(chart, index).map(({ line, text }) => {
    const swatch = make("i", `swatch ${line.kind} ${line.dash ?? "solid"}`);
    swatch.style.color = swatchOf(line.paint);
    return make("li", "", swatch, make("span", "", line.label), make("b", "", text));
  });
  const marks = marksAt(chart, index).map(({ text }) => make("p", "mark", text));
  tip.replaceChildren(make("p", "", headOf(chart, index)), ...marks, make("ul", "", ...rows));
}

function place(tip: HTMLElement, within: HTMLElement, x: number): void {
  const fits = x + GAP + tip.offsetWidth <= within.clientWidth;
  tip.style.left = `${Math.max(0, fits ? x + GAP : x - GAP - tip.offsetWidth)}px`;
}

function sentence(chart: Chart, index: number): string {
  const parts = rowsOf(chart, index).map(({ line, text }) => `${line.label} ${text}`);
  const marks = marksAt(chart, index).map(({ text }) => `${text}. `);
  return `${headOf(chart, index)}: ${marks.join("")}${parts.join(", ")}`;
}

/** The last figure and the extremes of each line: what a glance at the plot tells. */
function summary({ lines, format }: Chart): string {
  const parts = lines
    .filter(({ kind }) => kind !== "edge")
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null);
      const last = known.at(-1);
      if (last === undefined) return `${label}: nothing.`;
      return `${label}: ${format(Math.min(...known))} to ${format(Math.max(...known))}, at last ${format(last)}.`;
    });
  return parts.join(" ");
}
