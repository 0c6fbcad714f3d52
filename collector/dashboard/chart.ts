// What a plot over time shows, as plain data: lines, columns or bands on one row of times.
import type { Palette } from "./colours.js";
import { moment } from "./format.js";

export type Paint = { series: number } | { ramp: number } | { quiet: true };

export interface Line {
  key: string;
  label: string;
  paint: Paint;
  /** "edge": the limit of a band, without a line of its own, a legend or a place in the table. */
  kind: "line" | "column" | "edge";
  dash?: Dash;
  /** Of columns: left or right of the middle, beside those of another line. */
  side?: -1 | 1;
  values: readonly (number | null)[];
  /** What the tooltip says of a step instead of the formatted value. */
  tell?: (index: number) => string | null;
}

export interface Band {
  /** Positions in `lines`. */
  upper: number;
  lower: number;
  quiet: boolean;
}

/** Something that changed what is measured: a line across the plot. */
export interface Mark {
  /** Ms. */
  time: number;
  /** The model that it changed. */
  model: string;
  text: string;
}

export interface Chart {
  from: number;
  to: number;
  step: number;
  times: readonly number[];
  /** The names of bins: the plot is one over them, not over time, and `times` are their positions times 1,000. */
  bins?: readonly string[];
  /** The model that it is about; without it the marks of all models are shown. */
  model?: string;
  marks?: readonly Mark[];
  lines: readonly Line[];
  bands?: readonly Band[];
  /** Columns that stand on each other. */
  stacked?: boolean;
  /** A logarithmic y axis: for things of which one is a hundred times another. */
  log?: boolean;
  /** The y axis; without it from 0 to what is needed. */
  range?: readonly [number, number];
  format: (value: number) => string;
  axis: (value: number) => string;
}

export const DASHES = ["solid", "dashed", "dotted"] as const;
export type Dash = (typeof DASHES)[number];

/** Only the first of many get a line: a seventh colour would not be distinguishable. */
export const MOST_LINES = 6;

/** Colour and dash change together, so that neither is needed to tell two lines apart. */
export function look(index: number): { paint: Paint; dash: Dash } {
  return { paint: { series: index }, dash: DASHES[index % DASHES.length] ?? "solid" };
}

export function colourOf(paint: Paint, palette: Palette): string {
  if ("series" in paint) return palette.series[paint.series % palette.series.length] ?? palette.ink;
  if ("ramp" in paint) return palette.ramp[paint.ramp % palette.ramp.length] ?? palette.ink;
  return palette.quiet;
}

export function swatchOf(paint: Paint): string {
  if ("series" in paint) return `var(--series-${(paint.series % MOST_LINES) + 1})`;
  if ("ramp" in paint) return `var(--ramp-${paint.ramp + 1})`;
  return "var(--quiet)";
}

/** Seconds, as uPlot counts: a step is drawn at its middle, since what it holds came between its edges. */
export function placeOf({ times, step }: Chart, index: number): number {
  return ((times[index] ?? 0) + step / 2) / 1000;
}

/** What the tooltip and the table call a step. */
export function headOf(chart: Chart, index: number): string {
  return chart.bins?.[index] ?? moment(chart.times[index] ?? 0);
}

/** The marks within a step; those between two points of an irregular plot belong to the later one. */
export function marksAt({ times, step, marks = [], bins }: Chart, index: number): readonly Mark[] {
  if (bins || marks.length === 0) return [];
  const from = step > 0 ? (times[index] ?? 0) : (times[index - 1] ?? -Infinity);
  const to = step > 0 ? from + step : (times[index] ?? 0);
  return marks.filter(({ time }) => (step > 0 ? time >= from && time < to : time > from && time <= to));
}

/** Of these marks those that a chart shows. */
export function marksFor(marks: readonly Mark[], { model, from, to, bins }: Chart): readonly Mark[] {
  if (bins) return [];
  return marks.filter((mark) => (model === undefined || mark.model === model) && mark.time >= from && mark.time <= to);
}

/** What the tooltip and the table say about one line at one step; null: nothing. */
export function textAt(chart: Chart, line: Line, index: number): string | null {
  if (line.kind === "edge") return null;
  if (line.tell) return line.tell(index);
  const value = line.values[index] ?? null;
  return value === null ? null : chart.format(value);
}
