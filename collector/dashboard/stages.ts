// The rows of the table of stages: in the order in which a prediction passes them, backends beside each other; pure.
import type { Report } from "../src/report-types.js";
import { nameOf } from "./figures.js";
import { count, duration, words } from "./format.js";
import type { Cell } from "./table.js";

type Latency = Report["latency"][number];

const ORDER = ["queue", "transfer", "preprocess", "execute", "readback", "postprocess", "total"];

export function stageRows({ latency }: Report): (Cell | string)[][] {
  const most = Math.max(...latency.map(({ p95 }) => p95), Number.MIN_VALUE);
  return [...latency]
    .sort(before)
    .map((one) => [
      words(one.stage),
      nameOf(one.model, one.version),
      one.backend,
      { text: count(one.count), value: one.count },
      { text: "", bar: one.p50 / most, tail: one.p95 / most },
      { text: duration(one.p50), value: one.p50 },
      { text: duration(one.p95), value: one.p95 },
      { text: duration(one.p99), value: one.p99 },
    ]);
}

function before(a: Latency, b: Latency): number {
  return (
    a.model.localeCompare(b.model) ||
    a.backend.localeCompare(b.backend) ||
    place(a.stage) - place(b.stage) ||
    (a.version ?? "").localeCompare(b.version ?? "")
  );
}

/** A stage that this page does not know comes before the sum. */
function place(stage: string): number {
  const index = ORDER.indexOf(stage);
  return index < 0 ? ORDER.length - 1.5 : index;
}
