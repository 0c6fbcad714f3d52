// The frame of one plot or table: title with unit, legend, a note, and the same as a table.
import { type Chart, headOf, type Line, type Mark, marksAt, marksFor, swatchOf, textAt } from "./chart.js";
import type { Palette } from "./colours.js";
import { make, write } from "./dom.js";
import { NONE } from "./format.js";
import { createPlot } from "./plot.js";
import { createTable, type Table } from "./table.js";

export interface Heading {
  title: string;
  /** What is measured and in what, below the title. */
  unit?: string;
  /** What a reader must know to read it right. */
  note?: string;
  /** Both columns of the page. */
  wide?: boolean;
}

export interface Frame {
  element: HTMLElement;
  /** For controls, at the right of the title. */
  tools: HTMLElement;
  /** Under the title. */
  body: HTMLElement;
  note(text: string): void;
}

let frames = 0;

export function createFrame({ title, unit, note, wide }: Heading): Frame {
  frames += 1;
  const heading = make("h3", "", title);
  heading.id = `panel-${frames}`;
  const caption = make("p", "unit", unit ?? "");
  caption.hidden = !unit;
  const tools = make("div", "tools");
  const body = make("div", "body");
  const foot = make("p", "note", note ?? "");
  foot.hidden = !note;
  const element = make(
    "section",
    wide ? "panel wide" : "panel",
    make("header", "", make("div", "", heading, caption), tools),
    body,
    foot,
  );
  element.setAttribute("aria-labelledby", heading.id);
  return {
    element,
    tools,
    body,
    note: (text) => {
      foot.hidden = text === "";
      write(foot, text);
    },
  };
}

/** What all plots of a page share. */
export interface Setting {
  palette: Palette;
  /** Changes of the channels, drawn into every plot of their model. */
  marks: readonly Mark[];
}

export interface ChartPanel extends Frame {
  /** Null: there is nothing, and `nothing` says so. */
  show(chart: Chart | null, setting: Setting, nothing: string): void;
}

export function createChartPanel(heading: Heading): ChartPanel {
  const frame = createFrame(heading);
  const plot = createPlot();
  const legend = make("ul", "legend");
  const tableHost = make("div", "tall");
  const nothing = make("p", "nothing tall");
  const toggle = make("button", "quiet", "Show as table");
  toggle.type = "button";
  frame.tools.append(toggle);
  frame.body.append(plot.element, legend, tableHost, nothing);
  let table: Table | null = null;
  let columns = "";
  let asTable = false;
  let chart: Chart | null = null;

  const arrange = () => {
    plot.element.hidden = !chart || asTable;
    legend.hidden = !chart || asTable;
    tableHost.hidden = !chart || !asTable;
    nothing.hidden = chart !== null;
    toggle.hidden = !chart;
    if (chart && asTable) fill(chart);
  };
  const fill = (from: Chart) => {
    const lines = from.lines.filter(({ kind }) => kind !== "edge");
    const wanted = JSON.stringify(lines.map(({ label }) => label));
    if (!table || wanted !== columns) {
      columns = wanted;
      const figures = lines.map(({ label }) => ({ label, figure: true }));
      table = createTable(`${heading.title} as a table`, [{ label: from.bins ? "Bin" : "Step begins" }, ...figures]);
      tableHost.replaceChildren(table.element);
    }
    table.show(tableRows(from, lines));
  };
  toggle.addEventListener("click", () => {
    asTable = !asTable;
    write(toggle, asTable ? "Show as plot" : "Show as table");
    arrange();
  });
  return {
    ...frame,
    show(next, { palette, marks }, why) {
      chart = next && { ...next, marks: marksFor(marks, next) };
      write(nothing, why);
      arrange();
      if (!chart) return;
      showLegend(legend, chart);
      plot.show(chart, palette, heading.title);
    },
  };
}

/** The newest first, bins in their order, without the steps in which nothing was measured. */
function tableRows(chart: Chart, lines: readonly Line[]) {
  const steps = chart.bins ? [...chart.times.keys()] : [...chart.times.keys()].reverse();
  const measured = steps.filter((index) => lines.some(({ values }) => (values[index] ?? null) !== null));
  return measured.map((index) => [
    [headOf(chart, index), ...marksAt(chart, index).map(({ text }) => text)].join("; "),
    ...lines.map((line) => {
      const text = textAt(chart, line, index) ?? NONE;
      const value = line.values[index];
      return typeof value === "number" ? { text, value } : { text };
    }),
  ]);
}

function showLegend(legend: HTMLElement, { lines, marks = [] }: Chart): void {
  const named = lines.filter(({ kind }) => kind !== "edge");
  const content = JSON.stringify([marks.length > 0, named.map(({ key, label, dash }) => [key, label, dash])]);
  if (legend.dataset.content === content) return;
  legend.dataset.content = content;
  const items = named.map(({ label, kind, dash, paint }) => {
    const swatch = make("i", `swatch ${kind} ${dash ?? "solid"}`);
    swatch.style.color = swatchOf(paint);
    return make("li", "", swatch, label);
  });
  const flag = make("li", "", make("i", "swatch flag"), "channel changed");
  legend.replaceChildren(...items, ...(marks.length > 0 ? [flag] : []));
}

export interface TablePanel extends Frame {
  show(rows: Parameters<Table["show"]>[0], nothing: string): void;
}

export function createTablePanel(heading: Heading, columns: Parameters<typeof createTable>[1]): TablePanel {
  const frame = createFrame(heading);
  const table = createTable(`${heading.title}, figures`, columns);
  const nothing = make("p", "nothing");
  frame.body.append(table.element, nothing);
  return {
    ...frame,
    show(rows, why) {
      table.element.hidden = rows.length === 0;
      nothing.hidden = rows.length > 0;
      write(nothing, why);
      table.show(rows);
    },
  };
}
