// The section of traffic and failures: throughput, errors, fallbacks, restarts, cache.
import type { Report } from "../src/report-types.js";
import { type Chart, look, MOST_LINES } from "./chart.js";
import { nameOf, sum } from "./figures.js";
import { count, length, percent, rate, short, words } from "./format.js";
import { gridOf, spread } from "./grid.js";
import { createChartPanel, createTablePanel } from "./panel.js";
import { frameSection, NOT_NARROWED, type Scene, type Section } from "./section.js";

const COUNT = { label: "Count", figure: true };

export function createTraffic(): Section {
  const throughput = createChartPanel({
    title: "Throughput",
    unit: "items per second",
    note: "The last step is still filling up.",
  });
  const errors = createChartPanel({ title: "Errors by type", unit: "errors in each step" });
  const fallbacks = createTablePanel({ title: "Fallbacks", unit: "from one backend to the next" }, [
    { label: "From" },
    { label: "To" },
    { label: "Reason" },
    COUNT,
  ]);
  const restarts = createTablePanel({ title: "Worker restarts", unit: "workers that were replaced" }, [
    { label: "Reason" },
    COUNT,
  ]);
  const kinds = createTablePanel({ title: "Errors by stage", unit: "where in a prediction or a load" }, [
    { label: "Type" },
    { label: "Stage" },
    COUNT,
  ]);
  const cache = createTablePanel({ title: "Cache", unit: "lookups of a model in the browser's store" }, [
    { label: "Result" },
    { label: "Share", bars: true },
    { label: "Share of requests", figure: true },
    COUNT,
  ]);
  const panels = [throughput, errors, kinds, fallbacks, cache, restarts];
  return {
    element: frameSection("Traffic and errors", ...panels.map(({ element }) => element)),
    show(scene: Scene) {
      const { report, filtered } = scene;
      throughput.show(throughputChart(report), scene, "Nothing was predicted in this range.");
      errors.show(errorChart(report), scene, "No error was reported in this range.");
      kinds.show(errorRows(report), "No error was reported in this range.");
      fallbacks.show(fallbackRows(report), "Every page used the backend that it tried first.");
      restarts.show(restartRows(report), "No worker had to be started again.");
      cache.show(cacheRows(report), "No model was loaded in this range.");
      cache.note([ratioOf(report), filtered ? NOT_NARROWED : ""].filter(Boolean).join(" "));
      for (const panel of [errors, kinds, fallbacks, restarts]) panel.note(filtered ? NOT_NARROWED : "");
    },
  };
}

function throughputChart(report: Report): Chart | null {
  const { from, to, step } = report;
  const streams = [...report.throughput].sort((a, b) => b.items - a.items).slice(0, MOST_LINES);
  if (streams.length === 0) return null;
  const grid = gridOf(
    report,
    streams.map(({ points }) => points),
  );
  const perSecond = (items: number) => items / (step / 1000);
  return {
    from,
    to,
    step,
    times: grid.times,
    format: (value) => `${rate(value)} /s`,
    axis: short,
    lines: streams.map(({ model, backend, items, points }, index) => ({
      key: nameOf(model, null, backend),
      label: `${nameOf(model, null, backend)} (${count(items)})`,
      ...look(index),
      kind: "line",
      values: spread(grid, points, (point) => perSecond(point.items), 0),
    })),
  };
}

/** One stack a step: the types, the most frequent at the bottom; the rare ones together. */
function errorChart(report: Report): Chart | null {
  const { from, to, step } = report;
  const types = errorTypes(report);
  if (types.length === 0) return null;
  const grid = gridOf(
    report,
    types.map(({ points }) => points),
  );
  return {
    from,
    to,
    step,
    times: grid.times,
    stacked: true,
    format: (value) => `${count(value)} in ${length(step)}`,
    axis: (value) => (Number.isInteger(value) ? short(value) : ""),
    lines: types.map(({ type, count: all, points }, index) => {
      const values = grid.times.map(() => 0);
      // A type occurs in several stages: their points share a step.
      for (const point of points) {
        const at = grid.at(point.time);
        if (at >= 0) values[at] = (values[at] ?? 0) + point.count;
      }
      return { key: type, label: `${words(type)} (${count(all)})`, ...look(index), kind: "column", values };
    }),
  };
}

type Errors = Report["errors"];

function errorTypes({ errors }: Report): Omit<Errors[number], "stage">[] {
  const merge = (type: string, list: Errors) => ({
    type,
    count: sum(list),
    points: list.flatMap(({ points }) => points),
  });
  const byType = new Map<string, Errors>();
  for (const one of errors) byType.set(one.type, [...(byType.get(one.type) ?? []), one]);
  const types = [...byType].map(([type, list]) => merge(type, list)).sort((a, b) => b.count - a.count);
  if (types.length <= MOST_LINES) return types;
  const named = types.slice(0, MOST_LINES - 1).map(({ type }) => type);
  return [
    ...types.slice(0, MOST_LINES - 1),
    merge(
      "all others",
      errors.filter(({ type }) => !named.includes(type)),
    ),
  ];
}

function counted(value: number) {
  return { text: count(value), value };
}

function errorRows({ errors }: Report) {
  const sorted = [...errors].sort((a, b) => b.count - a.count);
  return sorted.map((one) => [words(one.type), words(one.stage), counted(one.count)]);
}

function fallbackRows({ fallbacks }: Report) {
  const sorted = [...fallbacks].sort((a, b) => b.count - a.count);
  return sorted.map((one) => [one.from, one.to, words(one.type), counted(one.count)]);
}

function restartRows({ restarts }: Report) {
  return [...restarts].sort((a, b) => b.count - a.count).map((one) => [words(one.reason), counted(one.count)]);
}

function cacheRows({ cache }: Report) {
  const all = sum(cache);
  const sorted = [...cache].sort((a, b) => b.count - a.count);
  return sorted.map((one) => {
    const share = all > 0 ? one.count / all : 0;
    return [words(one.result), { text: "", bar: share }, { text: percent(share), value: share }, counted(one.count)];
  });
}

function ratioOf({ cache }: Report): string {
  const all = sum(cache);
  const hits = sum(cache.filter(({ result }) => result === "hit"));
  return all > 0 ? `Hit ratio ${percent(hits / all)}: the rest was downloaded.` : "";
}
