// The panel of durations by stage: one model, its backends beside each other, in the order in which a prediction passes.
import type { Report } from "../src/report-types.js";
import { createChooser } from "./chooser.js";
import { words } from "./format.js";
import { createTablePanel, type TablePanel } from "./panel.js";
import { longest, maxCell, percentileCell } from "./ranges.js";
import { FEW_NOTE, samplesCell } from "./samples.js";
import type { Cell } from "./table.js";

type Latency = Report["latency"][number];

const ORDER = ["queue", "transfer", "preprocess", "execute", "readback", "postprocess", "total"];
const FIGURES = ["p50", "p95", "p99", "Largest", "Count"];

export function createStages(): { element: TablePanel["element"]; show(report: Report): void } {
  const panel = createTablePanel(
    {
      title: "Latency by stage",
      unit: "dark bar to p50, pale bar to p95",
      note: `Stages are reported without a version. ${FEW_NOTE}`,
      wide: true,
    },
    [
      { label: "Stage" },
      { label: "Backend" },
      { label: "p50 and p95", bars: true },
      ...FIGURES.map((label) => ({ label, figure: true })),
    ],
  );
  const chooser = createChooser("Model");
  panel.tools.prepend(chooser.element);
  let latest: Report | null = null;
  const draw = () => {
    if (!latest) return;
    const models = modelsOf(latest);
    const chosen = models[chooser.choose(models)];
    panel.show(stageRows(latest, chosen), "No stage was measured in this range.");
  };
  chooser.onChange(draw);
  return {
    element: panel.element,
    show(report) {
      latest = report;
      draw();
    },
  };
}

/** The busiest first. */
function modelsOf({ latency }: Report): string[] {
  const counts = new Map<string, number>();
  for (const { model, count: n, stage } of latency)
    counts.set(model, (counts.get(model) ?? 0) + (stage === "total" ? n : 0));
  return [...counts].sort(([, a], [, b]) => b - a).map(([model]) => model);
}

function stageRows({ latency }: Report, model: string | undefined): (Cell | string)[][] {
  const rows = latency.filter((one) => one.model === model).sort(before);
  const max = longest(rows);
  return rows.map((one) => [
    one.stage === "total" ? `total${one.version ? `, ${one.version}` : ""}` : words(one.stage),
    one.backend,
    { text: "", bar: one.p50 / max, tail: one.p95 / max },
    percentileCell(one, "p50"),
    percentileCell(one, "p95"),
    percentileCell(one, "p99"),
    maxCell(one),
    samplesCell(one.count),
  ]);
}

function before(a: Latency, b: Latency): number {
  return (
    place(a.stage) - place(b.stage) ||
    (a.version ?? "").localeCompare(b.version ?? "") ||
    a.backend.localeCompare(b.backend)
  );
}

/** A stage that this page does not know comes before the sum. */
function place(stage: string): number {
  const index = ORDER.indexOf(stage);
  return index < 0 ? ORDER.length - 1.5 : index;
}
