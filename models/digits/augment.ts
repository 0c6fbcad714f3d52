// Augments a digit for training: slightly rotated, shifted, scaled and slanted.
import { SIDE } from "./data.js";

/** A seeded generator (mulberry32, public domain), so that a training can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Limits within which a digit stays recognizable: 12 degrees, 10 % of its size, two pixels.
const TURN = (12 * Math.PI) / 180;
const STRETCH = 0.12;
const SLANT = 0.15;
const SHIFT = 2;

/** Writes the augmented image to `to` at `offset`, by bilinear sampling. */
export function augment(pixels: Float32Array, random: () => number, to: Float32Array, offset: number): void {
  const spread = (max: number) => (random() * 2 - 1) * max;
  const angle = spread(TURN);
  const scaleX = 1 + spread(STRETCH);
  const scaleY = 1 + spread(STRETCH);
  const slant = spread(SLANT);
  const shiftX = spread(SHIFT);
  const shiftY = spread(SHIFT);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const middle = (SIDE - 1) / 2;
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      const u = x - middle - shiftX;
      const v = y - middle - shiftY;
      const fromX = (cos * u + sin * v + slant * v) * scaleX + middle;
      const fromY = (-sin * u + cos * v) * scaleY + middle;
      to[offset + y * SIDE + x] = sample(pixels, fromX, fromY);
    }
  }
}

function sample(pixels: Float32Array, x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const at = (column: number, row: number) =>
    column < 0 || row < 0 || column >= SIDE || row >= SIDE ? 0 : (pixels[row * SIDE + column] as number);
  const right = x - left;
  const bottom = y - top;
  const upper = at(left, top) * (1 - right) + at(left + 1, top) * right;
  const lower = at(left, top + 1) * (1 - right) + at(left + 1, top + 1) * right;
  return upper * (1 - bottom) + lower * bottom;
}
