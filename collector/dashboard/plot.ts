// Draws a chart with uPlot, keeps it up to date, and lets mouse, finger and keyboard read single steps.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Chart, colourOf, type Dash, type Line, placeOf } from "./chart.js";
import type { Palette } from "./colours.js";
import { tick } from "./format.js";
import { createReadout } from "./readout.js";

export interface Plot {
  element: HTMLElement;
  show(chart: Chart, palette: Palette, label: string): void;
}

const HEIGHT = 220;
const DASH: Record<Dash, number[]> = { solid: [], dashed: [7, 4], dotted: [2, 4] };
// The same for all plots, so that their time axes stand above each other.
const AXIS_WIDTH = 58;
const FONT = '11.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

export function createPlot(): Plot {
  const readout = createReadout();
  const { element } = readout;
  let drawn: uPlot | null = null;
  let shape = "";
  let current: Chart | null = null;
  let width = 0;
  new ResizeObserver(([entry]) => {
    width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0) drawn?.setSize({ width, height: HEIGHT });
  }).observe(element);

  return {
    element,
    show(chart, palette, label) {
      current = chart;
      readout.describe(chart, label);
      const data = rowsOf(chart);
      const wanted = shapeOf(chart, palette);
      if (drawn && wanted === shape) {
        drawn.setData(data);
        return;
      }
      drawn?.destroy();
      shape = wanted;
      const size = { width: width || Math.max(280, element.clientWidth), height: HEIGHT };
      drawn = new uPlot(
        optionsOf(chart, palette, size, () => current ?? chart, readout.read),
        data,
        element,
      );
      readout.attach(drawn);
    },
  };
}

/** What cannot be changed on a drawn plot. */
function shapeOf({ lines, bands, stacked, log, bins }: Chart, { sheet }: Palette): string {
  return JSON.stringify([
    sheet,
    stacked,
    log,
    bands,
    bins !== undefined,
    lines.map(({ key, label, paint, kind, dash, side }) => [key, label, paint, kind, dash, side]),
  ]);
}

/** In the order of drawing: what stands on top of a stack comes first, so that the rest covers its lower part. */
function rowsOf(chart: Chart): uPlot.AlignedData {
  const { times, lines, stacked } = chart;
  const seconds = times.map((_, index) => placeOf(chart, index));
  if (!stacked) return [seconds, ...lines.map(({ values }) => [...values])];
  const heights = times.map(() => 0);
  const rows = lines.map(({ values }) => values.map((value, i) => (heights[i] = (heights[i] ?? 0) + (value ?? 0))));
  return [seconds, ...rows.reverse()];
}

function optionsOf(
  chart: Chart,
  palette: Palette,
  size: { width: number; height: number },
  current: () => Chart,
  onCursor: (plot: uPlot) => void,
): uPlot.Options {
  const lines = chart.stacked ? [...chart.lines].reverse() : chart.lines;
  return {
    ...size,
    padding: [12, 10, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7, width: 2, fill: palette.sheet } },
    hooks: { setCursor: [onCursor], draw: [(plot) => drawMarks(plot, current(), palette)] },
    scales: {
      x: { time: !chart.bins, range: () => [current().from / 1000, current().to / 1000] },
      y: { distr: chart.log ? 3 : 1, range: (_plot, low, high) => rangeOf(current(), low, high) },
    },
    axes: [xAxis(palette, current), yAxis(palette, current, chart.log ?? false)],
    series: [{}, ...lines.map((line) => seriesOf(line, palette))],
    bands: (chart.bands ?? []).map(({ upper, lower, quiet }) => ({
      series: [upper + 1, lower + 1] as [number, number],
      fill: quiet ? palette.bandQuiet : palette.band,
    })),
  };
}

function rangeOf({ range, log }: Chart, low: number | null, high: number | null): [number, number] {
  if (range) return [range[0], range[1]];
  if (log) return uPlot.rangeLog(low || 0.001, high || 1, 10, false) as [number, number];
  return [0, high && high > 0 ? high * 1.08 : 1];
}

function axis(palette: Palette): uPlot.Axis {
  return {
    font: FONT,
    stroke: palette.quiet,
    grid: { stroke: palette.line, width: 1 },
    ticks: { show: false },
    gap: 8,
  };
}

function xAxis(palette: Palette, current: () => Chart): uPlot.Axis {
  const { bins } = current();
  if (bins)
    return {
      ...axis(palette),
      grid: { show: false },
      size: 28,
      space: 64,
      // Below the middle of a bin.
      splits: (_plot, _axis, _low, high, increment) => {
        const every = Math.max(1, Math.ceil(increment));
        return Array.from({ length: Math.ceil(high / every) }, (_, i) => i * every + 0.5);
      },
      values: (_plot, splits) => splits.map((at) => current().bins?.[Math.floor(at)] ?? ""),
    };
  return {
    ...axis(palette),
    grid: { show: false },
    size: 28,
    space: 72,
    values: (_plot, splits) => splits.map((at) => tick(at * 1000, current().to - current().from)),
  };
}

function yAxis(palette: Palette, current: () => Chart, log: boolean): uPlot.Axis {
  return {
    ...axis(palette),
    size: AXIS_WIDTH,
    space: 40,
    values: (_plot, splits) => splits.map((value) => (value === null ? "" : current().axis(value))),
    ...(log ? { filter: round, grid: { stroke: palette.line, width: 1, filter: round } } : {}),
  };
}

/** Of a logarithmic axis: 1, 2 and 5 of each decade, or the decades alone when they are many. */
function round(_plot: uPlot, splits: number[]): (number | null)[] {
  const decades = Math.log10((splits.at(-1) ?? 1) / (splits[0] ?? 1));
  const kept = decades > 2.5 ? [1] : [1, 2, 5];
  return splits.map((value) =>
    kept.includes(Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9))) ? value : null,
  );
}

function seriesOf({ label, paint, kind, dash, side }: Line, palette: Palette): uPlot.Series {
  const stroke = colourOf(paint, palette);
  if (kind === "edge") return { label, stroke: "transparent", width: 0, points: { show: false } };
  if (kind === "column") {
    const paths = uPlot.paths.bars?.(side ? { size: [0.38, 12], align: side } : { size: [0.72, 14], align: 0 });
    return {
      label,
      fill: stroke,
      stroke: "transparent",
      width: 0,
      ...(paths ? { paths } : {}),
      points: { show: false },
    };
  }
  const points = { show: true, size: 5, stroke, fill: stroke, filter: alone } satisfies uPlot.Series.Points;
  return { label, stroke, width: 2, dash: DASH[dash ?? "solid"], points };
}

const MARK_DASH = [3, 3];
const MARK_SIZE = 5;

/** A line across the plot with a flag at its top; the readout says what it means. */
function drawMarks({ ctx, bbox, valToPos }: uPlot, { marks = [] }: Chart, palette: Palette): void {
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = palette.ink;
  ctx.fillStyle = palette.ink;
  ctx.lineWidth = ratio;
  ctx.setLineDash(MARK_DASH.map((length) => length * ratio));
  for (const { time } of marks) {
    const x = Math.round(valToPos(time / 1000, "x", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - MARK_SIZE * ratio, bbox.top - MARK_SIZE * ratio);
    ctx.lineTo(x + MARK_SIZE * ratio, bbox.top - MARK_SIZE * ratio);
    ctx.lineTo(x, bbox.top + MARK_SIZE * ratio);
    ctx.fill();
  }
  ctx.restore();
}

/** Points only where a step has no neighbour: a line cannot show it. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const has = (index: number) => values[index] !== null && values[index] !== undefined;
  return [...values.keys()].filter((index) => has(index) && !has(index - 1) && !has(index + 1));
}
