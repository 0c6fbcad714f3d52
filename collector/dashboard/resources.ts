// The sections of what models cost a page, and of what the telemetry itself lost.
import type { Report } from "../src/report-types.js";
import { sum } from "./figures.js";
import { bytes, count, duration, words } from "./format.js";
import { createTablePanel } from "./panel.js";
import { FEW_NOTE, samplesCell } from "./samples.js";
import { frameSection, NOT_NARROWED, type Section } from "./section.js";

const HIGHEST = "The highest is the bound of its bucket.";

const figures = (...labels: string[]) => labels.map((label) => ({ label, figure: true }));

export function createResources(): Section {
  const loads = createTablePanel(
    { title: "Model loads", unit: "until the first prediction can start", note: FEW_NOTE },
    [
      ...[{ label: "Model" }, { label: "Version" }, { label: "Source" }],
      { label: "p50 and p95", bars: true },
      ...figures("p50", "p95", "Count"),
    ],
  );
  const memory = createTablePanel({ title: "Memory", unit: "while models are loaded", note: HIGHEST }, [
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
  const max = Math.max(...loads.map(({ p95 }) => p95), Number.MIN_VALUE);
  const sorted = [...loads].sort((a, b) => b.count - a.count);
  return sorted.map((one) => [
    ...[one.model, one.version, words(one.source)],
    { text: "", bar: one.p50 / max, tail: one.p95 / max },
    { text: duration(one.p50), value: one.p50 },
    { text: duration(one.p95), value: one.p95 },
    samplesCell(one.count),
  ]);
}

function memoryRows({ memory }: Report) {
  const max = Math.max(...memory.map(({ max }) => max), Number.MIN_VALUE);
  const sorted = [...memory].sort((a, b) => b.max - a.max);
  return sorted.map((one) => [
    ...[one.backend, one.kind],
    { text: "", bar: one.mean / max, tail: one.max / max },
    { text: bytes(one.mean), value: one.mean },
    { text: `${one.beyond ? ">" : "≤"} ${bytes(one.max)}`, value: one.max },
    counted(one.count),
  ]);
}
