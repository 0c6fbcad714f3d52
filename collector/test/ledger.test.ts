// Adding up: deltas, cumulative streams, conflicts, and the limits on series and streams.
import { describe, expect, it } from "vitest";
import { addPoints, apply, emptyChange, emptyLedger, type Ledger } from "../src/ledger.js";
import { MAX_SERIES, MAX_STREAMS } from "../src/limits.js";
import type { Attributes, Metric, Point } from "../src/records.js";

const ERRORS: Metric = { name: "ml.errors", kind: "counter", unit: "{error}", description: "", bounds: [] };
const DURATION: Metric = { name: "ml.inference.duration", kind: "histogram", unit: "s", description: "", bounds: [1] };

function count(sum: number, attributes: Attributes = [], cumulative?: Point["cumulative"]): Point {
  return { metric: ERRORS, attributes, time: 0, amount: { count: 0, sum, buckets: [] }, cumulative };
}

function put(ledger: Ledger, ...points: Point[]): string[] {
  const change = emptyChange();
  const rejected = addPoints(ledger, change, points);
  apply(ledger, change);
  return rejected.map(({ reason }) => reason);
}

const sums = (ledger: Ledger) => [...ledger.entries.values()].map(({ total }) => total.sum);

describe("deltas", () => {
  it("adds up within a batch and over batches, series by series", () => {
    const ledger = emptyLedger();
    expect(put(ledger, count(1), count(2), count(5, [["a", "b"]]))).toEqual([]);
    expect(put(ledger, count(4))).toEqual([]);
    expect(sums(ledger)).toEqual([7, 5]);
  });

  it("changes nothing before it is applied", () => {
    const ledger = emptyLedger();
    addPoints(ledger, emptyChange(), [count(1)]);
    expect(ledger.entries.size).toBe(0);
  });

  it("rejects another kind, other bounds, and what cannot be added", () => {
    const ledger = emptyLedger();
    const point = { metric: DURATION, attributes: [], time: 0, amount: { count: 1, sum: 1, buckets: [1, 0] } };
    put(ledger, point, count(1e308));
    expect(put(ledger, { ...point, metric: { ...DURATION, bounds: [2] } })[0]).toContain("other explicitBounds");
    expect(put(ledger, count(1e308))[0]).toContain("too large");
    expect(put(ledger, { ...count(1), metric: { ...DURATION, name: "ml.errors.total", unit: "" } })[0]).toContain(
      "known as",
    );
    expect(sums(ledger)).toEqual([1, 1e308]);
  });
});

describe("cumulative streams", () => {
  const at = (start: string, time: string, sum: number, stream = "s") => count(sum, [], { stream, start, time });

  it("adds differences, from the first point on", () => {
    const ledger = emptyLedger();
    put(ledger, at("1", "2", 10));
    put(ledger, at("1", "3", 15), at("1", "4", 15), at("1", "5", 21));
    expect(sums(ledger)).toEqual([21]);
  });

  it("counts a point once, whether it comes twice, late, or from before a new start", () => {
    const ledger = emptyLedger();
    put(ledger, at("1", "2", 10), at("1", "5", 30));
    put(ledger, at("1", "5", 30), at("1", "3", 20));
    put(ledger, at("6", "7", 4));
    put(ledger, at("1", "9", 35));
    expect(sums(ledger)).toEqual([34]);
  });

  it("starts again with the sender, said or not", () => {
    const ledger = emptyLedger();
    put(ledger, at("0", "2", 10), at("0", "3", 4), at("0", "4", 6));
    expect(sums(ledger)).toEqual([16]);
  });

  it("keeps senders apart that share a series", () => {
    const ledger = emptyLedger();
    put(ledger, at("1", "2", 10, "a"), at("1", "2", 100, "b"), at("1", "3", 11, "a"), at("1", "3", 105, "b"));
    expect(sums(ledger)).toEqual([116]);
  });

  it(`remembers ${MAX_STREAMS} of them and says so`, () => {
    const ledger = emptyLedger();
    for (let i = 0; i < MAX_STREAMS; i++) put(ledger, at("1", "2", 1, `s${i}`));
    expect(put(ledger, at("1", "2", 1, "one more"))[0]).toContain("send delta");
    expect(put(ledger, at("1", "3", 2, "s5"))).toEqual([]);
    expect(sums(ledger)).toEqual([MAX_STREAMS + 1]);
  });
});

describe("too many series", () => {
  it("adds what is new to the metric's overflow series, loses nothing, and takes no new names", () => {
    const ledger = emptyLedger();
    const many = Array.from({ length: MAX_SERIES + 50 }, (_, i) => count(1, [["session", String(i)]]));
    expect(put(ledger, ...many)).toEqual([]);
    expect(put(ledger, count(1, [["session", "3"]]), count(1, [["session", "yet another"]]))).toEqual([]);
    expect(ledger.entries.size).toBe(MAX_SERIES + 1);
    expect([...ledger.entries.values()].at(-1)).toMatchObject({
      attributes: [["otel.metric.overflow", "true"]],
      total: { sum: 51 },
    });
    expect(sums(ledger).reduce((a, b) => a + b)).toBe(MAX_SERIES + 52);
    expect(put(ledger, { ...count(1), metric: { ...ERRORS, name: "made.up" } })[0]).toContain(`${MAX_SERIES} series`);
  });
});
