// The sections of what models cost a page, and of what the telemetry itself lost.
import type { Report } from "../src/report-types.js";
import { sum } from "./figures.js";
import { bytes, count, words } from "./format.js";
import { createTablePanel } from "./panel.js";
import { bytesText, longest, maxCell, percentileCell } from "./ranges.js";
import { FEW_NOTE, samplesCell } from "./samples.js";
import { frameSection, NOT_NARROWED, type Section } from "./section.js";

const HIGHEST = "Where pages do not tell their highest value, it lies within its bucket.";

const figures = (...labels: string[]) => labels.map((label) => ({ label, figure: true }));

export function createResources(): Section {
  const loads = createTablePanel(
    { title: "Model loads", unit: "until the first prediction can start", note: FEW_NOTE, wide: true },
    [
      ...[{ label: "Model" }, { label: "Version" }, { label: "Source" }],
      { label: "p50 and p95", bars: true },
      ...figures("p50", "p95", "Longest", "Count"),
    ],
  );
  const memory = createTablePanel({ title: "Memory", unit: "while models are loaded", note: HIGHEST, wide: true }, [
    ...[{ label: "Backend" }, { label: "Kind" }],
    { label: "Mean and highest", bars: true },
    ...figures("Mean", "Highest", "Samples"),
  ]);
  return {
    element: frameSection("Resources", loads.element, memory.element),
    show({ report, filtered }) {
      loads.show(loadRows(report), "No model was loaded in this range.");
      memory.show(memoryRows(report), "No page reported its memory in this range.");
      memory.note(`${HIGHEST}${filtered ? ` ${NOT_NARROWED}` : ""}`);
    },
  };
}

export function createOwn(): Section {
  const dropped = createTablePanel({ title: "Dropped by pages", unit: "records that never left, by reason" }, [
    { label: "Signal" },
    { label: "Reason" },
    ...figures("Records"),
  ]);
  const batches = createTablePanel(
    {
      title: "Batches",
      unit: "requests that this collector took",
      note: "A duplicate is a batch that a page sent twice; it is counted once.",
    },
    [{ label: "Batches" }, ...figures("Count")],
  );
  return {
    element: frameSection("Telemetry itself", dropped.element, batches.element),
    show({ report }) {
      const { telemetry } = report;
      const sorted = [...telemetry.dropped].sort((a, b) => b.count - a.count);
      dropped.show(
        sorted.map((one) => [words(one.signal), words(one.reason), counted(one.count)]),
        "Nothing was dropped: what pages recorded is here.",
      );
      dropped.note(
        sorted.length > 0 ? `${count(sum(sorted))} records were dropped and counted; the figures above lack them.` : "",
      );
      batches.show(
        [
          ["counted", counted(telemetry.batches)],
          ["duplicates, ignored", counted(telemetry.duplicates)],
        ],
        "",
      );
    },
  };
}

function counted(value: number) {
  return { text: count(value), value };
}

function loadRows({ loads }: Report) {
  const max = longest(loads);
  const sorted = [...loads].sort((a, b) => b.count - a.count);
  return sorted.map((one) => [
    ...[one.model, one.version, words(one.source)],
    { text: "", bar: one.p50 / max, tail: one.p95 / max },
    percentileCell(one, "p50"),
    percentileCell(one, "p95"),
    maxCell(one),
    samplesCell(one.count),
  ]);
}

function memoryRows({ memory }: Report) {
  const highest = ({ max: [low, high] }: Report["memory"][number]) => high ?? low;
  const longest = Math.max(...memory.map(highest), Number.MIN_VALUE);
  const sorted = [...memory].sort((a, b) => highest(b) - highest(a));
  return sorted.map((one) => [
    ...[one.backend, one.kind],
    { text: "", bar: one.mean / longest, tail: highest(one) / longest },
    { text: bytes(one.mean), value: one.mean },
    { text: bytesText(one.max, bytes), value: highest(one) },
    counted(one.count),
  ]);
}
