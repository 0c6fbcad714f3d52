// Extremes that contradict the rest of their point: rejected, so that nobody moves the report's largest value.
import { describe, expect, it } from "vitest";
import { CELL, exponentialBody, exponentialPoint, send, textOf } from "./support/durations.js";
import { histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { withCollector } from "./support/run.js";

describe("a liar's extremes", () => {
  const attributes = { ...CELL, "ml.inference.mode": "online" };
  it.each<[string, object]>([
    ["a maximum above its bucket", histogramPoint([0.003, 0.012], attributes, { max: 3 })],
    ["a maximum below its bucket", histogramPoint([0.003, 0.012], attributes, { max: 0.004 })],
    ["a maximum of years", histogramPoint([11], attributes, { max: 1e9, sum: 11 })],
    ["a maximum that the sum cannot hold", histogramPoint([11], attributes, { max: 5000 })],
    ["a minimum above its bucket", histogramPoint([0.003, 0.012], attributes, { min: 0.011 })],
    ["a minimum above the maximum", histogramPoint([0.003, 0.004], attributes, { min: 0.0045, max: 0.0035 })],
    ["a negative minimum", histogramPoint([0.0003, 0.004], attributes, { min: -1 })],
    ["no number", histogramPoint([0.003], attributes, { max: "much" })],
  ])("%s is rejected with its point", async (_name, point) => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const answer = await send(url, "otlp", metricsBody([histogram([point])]));
      expect(answer).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
      expect(await textOf(url)).toEqual([]);
    });
  });

  it("of an exponential histogram are held to the fine buckets", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const answer = (max: number) =>
        send(url, "otlp", exponentialBody([exponentialPoint([0.01, 0.0101], 3, { max })]));
      expect(await answer(0.0125)).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
      expect(await answer(0.0101)).toEqual({});
    });
  });
});
