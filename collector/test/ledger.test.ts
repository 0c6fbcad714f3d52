// Adding up: deltas, cumulative streams, conflicts, and the limits on series and streams.
import { describe, expect, it } from "vitest";
import { addPoints } from "../src/add-points.js";
import { apply, emptyChange, emptyLedger, type Ledger } from "../src/ledger.js";
import { MAX_SERIES, MAX_STREAMS } from "../src/limits.js";
import type { Attributes, Metric, Point } from "../src/records.js";

const ERRORS: Metric = { name: "ml.errors", kind: "counter", unit: "{error}", description: "", bounds: [] };
const DURATION: Metric = { name: "shop.duration", kind: "histogram", unit: "s", description: "", bounds: [1] };

function count(sum: number, attributes: Attributes = [], cumulative?: Point["cumulative"]): Point {
  return { metric: ERRORS, attributes, time: 0, amount: { count: 0, sum, buckets: [] }, cumulative };
}

function put(ledger: Ledger, ...points: Point[]): string[] {
  const change = emptyChange();
  const { rejected } = addPoints(ledger, change, points);
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

  it("rejects another kind, another unit, other bounds, and a name that is taken in Prometheus", () => {
    const ledger = emptyLedger();
    const point = { metric: DURATION, attributes: [], time: 0, amount: { count: 1, sum: 1, buckets: [1, 0] } };
    put(ledger, point);
    expect(put(ledger, { ...point, metric: { ...DURATION, bounds: [2] } })[0]).toContain("other explicitBounds");
    expect(put(ledger, { ...point, metric: { ...DURATION, unit: "ms" } })[0]).toContain('has the unit "s"');
    expect(put(ledger, { ...point, metric: { ...ERRORS, name: DURATION.name } })[0]).toContain("known as a histogram");
    for (const name of ["shop_duration", "shop.duration_seconds", "shop/duration"])
      expect(put(ledger, { ...point, metric: { ...DURATION, name } })[0]).toContain("the name of shop.duration");
    // Its text would be the buckets of the other.
    expect(
      put(ledger, { ...point, metric: { ...DURATION, unit: "", name: "shop.duration.seconds.bucket" } })[0],
    ).toContain("the name of shop.duration");
    expect(sums(ledger)).toEqual([1]);
  });
});

describe("cumulative streams", () => {
  const at = (start: string, time: string, sum: number, stream = "s") =>
    count(sum, [], { stream: `${stream}@${start}`, start, time });

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
    put(ledger, at("1", "4", 25));
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
    expect(put(ledger, { ...count(1), metric: { ...ERRORS, name: "made.up" } })[0]).toContain(
      "no place for more series",
    );
  });
});
