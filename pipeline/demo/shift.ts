// The simulated shift: a writer whose digits lean, which the shipped model has never seen.
import { type Digit, SIDE } from "../../models/digits/data.js";

/** Turned about the middle by bilinear sampling; what comes from outside is paper. */
export function turned({ pixels, label }: Digit, degrees: number): Digit {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin, middle] = [Math.cos(angle), Math.sin(angle), (SIDE - 1) / 2];
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : (pixels[y * SIDE + x] as number);
  const turnedPixels = new Float32Array(SIDE * SIDE);
  for (let y = 0; y < SIDE; y += 1)
    for (let x = 0; x < SIDE; x += 1) {
      const [u, v] = [x - middle, y - middle];
      const [fromX, fromY] = [cos * u + sin * v + middle, cos * v - sin * u + middle];
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [right, bottom] = [fromX - left, fromY - top];
      const upper = at(left, top) * (1 - right) + at(left + 1, top) * right;
      const lower = at(left, top + 1) * (1 - right) + at(left + 1, top + 1) * right;
      turnedPixels[y * SIDE + x] = upper * (1 - bottom) + lower * bottom;
    }
  return { pixels: turnedPixels, label };
}
