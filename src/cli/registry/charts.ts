// Plots of a figure over the versions of a model, as SVG.
import { escapeHtml } from "./html.js";

export interface Point {
  version: string;
  value: number;
}

const WIDTH = 320;
const HEIGHT = 132;
const LEFT = 12;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 24;
/** More labels would run into each other. */
const MAX_LABELS = 5;
const LABEL_LENGTH = 12;

/**
 * Dots joined by a line, the oldest version first. The axis begins at the smallest value: differences of versions are small. For one version
 * there is nothing to compare and no plot.
 */
export function linePlot(label: string, points: Point[], format: (value: number) => string): string {
  if (points.length < 2) return "";
  const values = points.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (index: number) => LEFT + (index * (WIDTH - LEFT - RIGHT)) / (points.length - 1);
  const y = (value: number) =>
    high === low
      ? (TOP + HEIGHT - BOTTOM) / 2
      : HEIGHT - BOTTOM - ((value - low) * (HEIGHT - TOP - BOTTOM)) / (high - low);
  const path = points
    .map(({ value }, index) => `${index === 0 ? "M" : "L"}${fixed(x(index))} ${fixed(y(value))}`)
    .join("");
  const dots = points.map(
    ({ version, value }, index) =>
      `<circle cx="${fixed(x(index))}" cy="${fixed(y(value))}" r="4"><title>${escapeHtml(`${version}: ${format(value)}`)}</title></circle>`,
  );
  const labels = labelled(points.length).map((index) => {
    const anchor = index === 0 ? "start" : index === points.length - 1 ? "end" : "middle";
    return `<text x="${fixed(x(index))}" y="${HEIGHT - 6}" text-anchor="${anchor}">${escapeHtml(shortened(points[index]?.version ?? ""))}</text>`;
  });
  // The values at both ends, above their dots.
  const ends = [0, points.length - 1].map((index) => {
    const value = points[index]?.value ?? 0;
    return `<text class="value" x="${fixed(x(index))}" y="${fixed(Math.max(12, y(value) - 9))}" text-anchor="${index === 0 ? "start" : "end"}">${escapeHtml(format(value))}</text>`;
  });
  const told = points.map(({ version, value }) => `${version} ${format(value)}`).join(", ");
  return `<figure><figcaption>${escapeHtml(label)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(`${label}: ${told}`)}"><line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM + 4}" y2="${HEIGHT - BOTTOM + 4}"/><path d="${path}"/>${dots.join("")}${ends.join("")}${labels.join("")}</svg></figure>`;
}

const fixed = (value: number): string => String(Math.round(value * 10) / 10);

const shortened = (text: string): string => (text.length > LABEL_LENGTH ? `${text.slice(0, LABEL_LENGTH - 1)}…` : text);

/** Which of `count` points have a label: the ends, and some between. */
function labelled(count: number): number[] {
  const labels = Math.min(count, MAX_LABELS);
  return [...new Set(Array.from({ length: labels }, (_, index) => Math.round((index * (count - 1)) / (labels - 1))))];
}
