// Labelled digits: what an export may hold, and a split that never lets a digit change its side.
import { expect, it } from "vitest";
import { seeded } from "../../../models/digits/augment.js";
import { type LabelledDigit, parseLabels, splitLabels, toDigit, toPixels } from "../../../pipeline/steps/labels.js";

const random = seeded(1);
const digit = (id: number, pixels?: string): LabelledDigit => ({
  id: id.toString(16).padStart(32, "0"),
  pixels: pixels ?? Buffer.from(Uint8Array.from({ length: 784 }, () => random() * 256)).toString("base64"),
  label: id % 10,
  at: 1_000 + id,
});

it("reads an export, and names the line that is none", () => {
  const lines = [digit(1), digit(2)].map((one) => JSON.stringify(one));
  expect(parseLabels(`${lines.join("\n")}\n\n`)).toHaveLength(2);
  for (const broken of [
    "{",
    "null",
    JSON.stringify({ ...digit(3), label: 10 }),
    JSON.stringify({ ...digit(3), label: "3" }),
    JSON.stringify({ ...digit(3), pixels: "AAAA" }),
    JSON.stringify({ ...digit(3), id: "../../etc" }),
    JSON.stringify({ ...digit(3), at: null }),
  ])
    expect(() => parseLabels([...lines, broken].join("\n")), broken).toThrow("Line 3 of the export");
});

it("holds out about a third, and the same ones when more have arrived", () => {
  const labels = Array.from({ length: 1_000 }, (_, i) => digit(i));
  const first = splitLabels(labels.slice(0, 500));
  const all = splitLabels(labels);
  expect(all.heldOut.length).toBeGreaterThan(250);
  expect(all.heldOut.length).toBeLessThan(350);
  expect(all.train.length + all.heldOut.length).toBe(1_000);
  const key = (one: { pixels: Float32Array }) => Buffer.from(one.pixels.buffer).toString("base64");
  const held = new Set(all.heldOut.map(key));
  expect(first.heldOut.every((one) => held.has(key(one)))).toBe(true);
  expect(first.train.some((one) => held.has(key(one)))).toBe(false);
});

it("the same picture twice is one digit, on one side", () => {
  const { pixels } = digit(1);
  const { train, heldOut } = splitLabels([digit(1, pixels), digit(2, pixels)]);
  expect(train.length + heldOut.length).toBe(1);
});

it("pixels survive the way there and back", () => {
  const pixels = Float32Array.from({ length: 784 }, (_, i) => (i % 256) / 255);
  const back = toDigit({ ...digit(7), pixels: toPixels({ pixels, label: 7 }) });
  expect([...back.pixels]).toEqual([...pixels]);
});
