// Ten sample digits as pen strokes, for visitors who cannot or do not want to draw.
import type { Stroke } from "./strokes.js";

/** An arc of an ellipse; angles are in degrees, clockwise from the right. */
function arc(x: number, y: number, rx: number, ry: number, from: number, to: number): Stroke {
  // Steps of 6 degrees look round at the size of the drawing area.
  const steps = Math.ceil(Math.abs(to - from) / 6);
  return Array.from({ length: steps + 1 }, (_, step) => {
    const angle = ((from + ((to - from) * step) / steps) * Math.PI) / 180;
    return { x: x + rx * Math.cos(angle), y: y + ry * Math.sin(angle) };
  });
}

const line = (...points: [number, number][]): Stroke => points.map(([x, y]) => ({ x, y }));

/** The index is the digit. */
export const SAMPLE_DIGITS: Stroke[][] = [
  [arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
  [line([0.44, 0.28], [0.53, 0.18], [0.5, 0.82])],
  [[...arc(0.49, 0.36, 0.18, 0.17, -170, 30), ...line([0.54, 0.56], [0.31, 0.8], [0.72, 0.78])]],
  [[...arc(0.48, 0.34, 0.16, 0.15, -150, 90), ...arc(0.48, 0.66, 0.19, 0.17, -90, 140)]],
  [line([0.36, 0.2], [0.3, 0.55], [0.7, 0.52]), line([0.64, 0.22], [0.61, 0.84])],
  [[...line([0.68, 0.2], [0.4, 0.21], [0.36, 0.48]), ...arc(0.48, 0.63, 0.19, 0.18, -120, 140)]],
  [[...line([0.6, 0.17], [0.44, 0.35], [0.34, 0.58]), ...arc(0.5, 0.65, 0.16, 0.17, -180, 180)]],
  [line([0.3, 0.22], [0.7, 0.22], [0.58, 0.5], [0.48, 0.82])],
  [[...arc(0.5, 0.34, 0.15, 0.15, 90, 450), ...arc(0.5, 0.66, 0.18, 0.17, -90, 270)]],
  [[...arc(0.49, 0.36, 0.16, 0.16, 0, 360), ...line([0.65, 0.36], [0.62, 0.6], [0.57, 0.84])]],
];
