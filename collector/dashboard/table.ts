// A table of figures that is refreshed in place; a cell may carry a bar.
import { make } from "./dom.js";

export interface Column {
  label: string;
  /** Figures stand under each other, at the right. */
  figure?: boolean;
  /** Takes the remaining width. */
  bars?: boolean;
}

export interface Cell {
  text: string;
  /** The figure behind the words, unrounded, for scripts and tests. */
  value?: number;
  /** 0 to 1: the length of a bar. */
  bar?: number;
  /** A second, paler bar behind the first. */
  tail?: number;
  /** An interval and the value in it, each 0 to 1 of the column's width. */
  whisker?: { low: number; value: number; high: number };
  /** Words that may take several lines. */
  wrap?: boolean;
}

export interface Table {
  element: HTMLElement;
  show(rows: readonly (readonly (Cell | string)[])[]): void;
}

/** The caption is for those who cannot see which title the table stands under. */
export function createTable(caption: string, columns: readonly Column[]): Table {
  const body = make("tbody");
  const head = make("tr", "", ...columns.map(headCell));
  const table = make("table", "", make("caption", "spoken", caption), make("thead", "", head), body);
  // Wide tables scroll by themselves; the page never does sideways. Focusable, so that keys can scroll it too.
  const element = make("div", "scroll", table);
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", caption);
  let shown = "";
  return {
    element,
    show(rows) {
      const content = JSON.stringify(rows);
      if (content === shown) return;
      shown = content;
      body.replaceChildren(
        ...rows.map((row) => make("tr", "", ...row.map((cell, i) => bodyCell(cell, columns[i], i)))),
      );
    },
  };
}

function headCell({ label, figure, bars }: Column): HTMLElement {
  const cell = make("th", figure ? "figure" : bars ? "bars" : "", label);
  cell.scope = "col";
  return cell;
}

function bodyCell(cell: Cell | string, column: Column | undefined, index: number): HTMLElement {
  const { text, value, bar, tail, whisker, wrap } = typeof cell === "string" ? { text: cell } : cell;
  const element = make(index === 0 ? "th" : "td", column?.figure ? "figure" : wrap ? "wrap" : "");
  if (element instanceof HTMLTableCellElement && index === 0) element.scope = "row";
  if (bar !== undefined) element.append(barOf(bar, tail));
  if (whisker) element.append(whiskerOf(whisker));
  if (value === undefined) element.append(text);
  else {
    const data = make("data", "", text);
    data.value = String(value);
    element.append(data);
  }
  return element;
}

function barOf(length: number, tail: number | undefined): HTMLElement {
  const part = (name: string, share: number) => {
    const element = make("i", name);
    element.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    return element;
  };
  const bar = make("span", "bar", ...(tail === undefined ? [] : [part("tail", tail)]), part("full", length));
  bar.setAttribute("aria-hidden", "true");
  return bar;
}

function whiskerOf({ low, value, high }: NonNullable<Cell["whisker"]>): HTMLElement {
  const clamp = (share: number) => Math.max(0, Math.min(1, share)) * 100;
  const [line, dot] = [make("i", "line"), make("i", "dot")];
  line.style.left = `${clamp(low)}%`;
  line.style.width = `${clamp(high) - clamp(low)}%`;
  dot.style.left = `${clamp(value)}%`;
  const element = make("span", "whisker", line, dot);
  element.setAttribute("aria-hidden", "true");
  return element;
}
