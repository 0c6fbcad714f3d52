// Tests the digits package in Node: it is intact, and its accuracy on held-out images is that of its manifest.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Digit, heldOut, SIDE, training } from "../../../models/digits/data.js";
import { measure } from "../../../models/digits/measure.js";
import manifest from "../../../models/digits/package/insitu.json" with { type: "json" };
import { verifyPackage } from "../../../src/cli/verify.js";

const PACKAGE = fileURLToPath(new URL("../../../models/digits/package", import.meta.url));

const perClass = (digits: Digit[]) =>
  Array.from({ length: 10 }, (_, label) => digits.filter((digit) => digit.label === label).length);
const content = ({ pixels }: Digit) =>
  Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength).toString("base64");

describe("the digits", () => {
  test("1,000 are held out, 100 per class", () => {
    expect(perClass(heldOut())).toEqual(new Array(10).fill(100));
    expect(heldOut().length + training().length).toBe(10_000);
  });

  test("no held-out image is a training image", () => {
    const seen = new Set(training().map(content));
    expect(seen.size).toBe(training().length);
    expect(heldOut().filter((digit) => seen.has(content(digit)))).toEqual([]);
  });

  test("pixels are 28 x 28 numbers from 0 (paper) to 1 (ink)", () => {
    for (const { pixels } of heldOut()) {
      expect(pixels).toHaveLength(SIDE * SIDE);
      expect(pixels.every((value) => value >= 0 && value <= 1)).toBe(true);
      // A corner is paper in every image; ink is somewhere.
      expect([pixels[0], Math.max(...pixels) > 0.5]).toEqual([0, true]);
    }
  });
});

describe("the package", () => {
  test("is intact and smaller than 500 kB", async () => {
    const { manifest: found } = await verifyPackage(PACKAGE);
    expect(found.task).toMatchObject({ kind: "classification", labels: [..."0123456789"] });
    expect(found.files.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(500_000);
  });

  test("classifies at least 98 % of the held-out images correctly, as its manifest states", async () => {
    const accuracy = await measure(join(PACKAGE, "model.json"), heldOut());
    expect(Math.abs(accuracy - manifest.metrics.heldOutAccuracy)).toBeLessThanOrEqual(0.002);
    expect(accuracy).toBeGreaterThanOrEqual(0.98);
    expect(manifest.metrics).toMatchObject({ heldOutImages: 1000, trainingImages: training().length });
  });
});
