// A labelled digit of the site: how it is stored, exported, and split into a part to train on and a part held out.
import { createHash } from "node:crypto";
import { type Digit, SIDE } from "../../models/digits/data.js";

/** What the site's backend keeps of a digit whose author has agreed to it. */
export interface LabelledDigit {
  /** Random; the same digit sent twice has the same. */
  id: string;
  /** 28 x 28 bytes as base64, 0 paper to 255 ink. */
  pixels: string;
  label: number;
  /** Epoch milliseconds at which the backend stored it. */
  at: number;
}

const BYTES = SIDE * SIDE;
const CLASSES = 10;

/** Reads the backend's export, one JSON object a line. Throws with the number of a line that is not one. */
export function parseLabels(text: string): LabelledDigit[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      return [checkLabel(JSON.parse(line))];
    } catch (error) {
      throw new Error(`Line ${i + 1} of the export is not a labelled digit: ${(error as Error).message}`);
    }
  });
}

export function checkLabel(value: unknown): LabelledDigit {
  const { id, pixels, label, at } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)) throw new Error('"id" must be 32 hex digits');
  if (typeof pixels !== "string" || Buffer.from(pixels, "base64").length !== BYTES)
    throw new Error(`"pixels" must be ${BYTES} bytes as base64`);
  if (!Number.isInteger(label) || (label as number) < 0 || (label as number) >= CLASSES)
    throw new Error(`"label" must be a digit from 0 to ${CLASSES - 1}`);
  if (typeof at !== "number" || !Number.isFinite(at)) throw new Error('"at" must be a time');
  return { id, pixels, label: label as number, at };
}

export function toDigit({ pixels, label }: LabelledDigit): Digit {
  return { pixels: Float32Array.from(Buffer.from(pixels, "base64"), (byte) => byte / 255), label };
}

export function toPixels(digit: Digit): string {
  return Buffer.from(digit.pixels.map((value) => Math.round(value * 255))).toString("base64");
}

/**
 * Splits by a hash of the pixels: a digit stays on its side in every run, so that nothing is ever trained on that measures a later version,
 * and the same picture sent twice is not on both sides.
 */
export function splitLabels(labels: readonly LabelledDigit[], share = 0.3): { train: Digit[]; heldOut: Digit[] } {
  const unique = [...new Map(labels.map((one) => [one.pixels, one])).values()];
  const isHeldOut = ({ pixels }: LabelledDigit) =>
    createHash("sha256").update(pixels).digest().readUInt32BE(0) / 2 ** 32 < share;
  return {
    train: unique.filter((one) => !isHeldOut(one)).map(toDigit),
    heldOut: unique.filter(isHeldOut).map(toDigit),
  };
}
