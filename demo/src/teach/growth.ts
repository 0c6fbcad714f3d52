// Draws the chart of accuracy by version, with the confidence interval as a band.
import type { PersonalVersion } from "insitu";
import { percent } from "../words.js";

const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 56;
const BOTTOM = 30;
const TOP = 12;
const RIGHT = 14;
const MAX_TICKS = 8;
const SVG = "http://www.w3.org/2000/svg";

interface Point {
  version: number;
  pictures: number;
  accuracy: number;
  low: number;
  high: number;
}

/** One point for each version whose accuracy was measured. */
export function growthChart(versions: PersonalVersion[], active: number): SVGElement {
  const points = pointsOf(versions);
  const last = points.at(-1);
  const label = last
    ? `Accuracy over ${points.length} versions; the last has ${percent(last.accuracy)} with ${last.pictures} pictures.`
    : "No accuracy yet: it is measured on every fourth picture of a class.";
  const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
  const svg = shape("svg", { viewBox, role: "img", "aria-label": label, class: "chart-growth" });
  svg.append(...grid());
  if (!last) {
    const hint = "Add four pictures of a class, then train.";
    svg.append(shape("text", { x: WIDTH / 2, y: y(0.75) + 4, class: "tick middle" }, hint));
    return svg;
  }
  svg.append(...curve(points));
  const interval = Math.ceil(points.length / MAX_TICKS);
  for (const [index, point] of points.entries()) {
    svg.append(...marker(point, x(index, points.length), point.version === active));
    if (index % interval === 0) svg.append(tick(x(index, points.length), "middle", `${point.pictures}`));
  }
  svg.append(tick(WIDTH - RIGHT, "end", "pictures"));
  return svg;
}

function pointsOf(versions: PersonalVersion[]): Point[] {
  return versions.flatMap(({ version, judged, head, counts }): Point[] => {
    const measured = judged[head];
    if (measured?.accuracy === undefined) return [];
    const [low, high] = measured.interval;
    const pictures = Object.values(counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
    return [{ version, pictures, accuracy: measured.accuracy, low, high }];
  });
}

/** Spaced by version, since two versions may have the same number of pictures. */
const x = (index: number, count: number): number => LEFT + ((WIDTH - LEFT - RIGHT) / count) * (index + 0.5);

const y = (share: number): number => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);

function grid(): SVGElement[] {
  return [0, 0.5, 1].flatMap((share) => [
    shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share), class: "grid" }),
    shape("text", { x: LEFT - 8, y: y(share) + 4, class: "tick end" }, `${share * 100} %`),
  ]);
}

function curve(points: Point[]): SVGElement[] {
  const at = (share: number, index: number) => `${x(index, points.length)},${y(share)}`;
  const upper = points.map(({ high }, index) => at(high, index));
  const lower = points.map(({ low }, index) => at(low, index)).reverse();
  const line = points.map(({ accuracy }, index) => at(accuracy, index));
  return [
    shape("polygon", { points: [...upper, ...lower].join(" "), class: "band" }),
    shape("polyline", { points: line.join(" "), class: "curve" }),
  ];
}

function marker({ accuracy, low, high }: Point, cx: number, isActive: boolean): SVGElement[] {
  const [r, name] = isActive ? [6, "dot now"] : [4, "dot"];
  return [
    shape("line", { x1: cx, x2: cx, y1: y(low), y2: y(high), class: "whisker" }),
    shape("circle", { cx, cy: y(accuracy), r, class: name }),
  ];
}

const tick = (at: number, anchor: "middle" | "end", text: string): SVGElement =>
  shape("text", { x: at, y: HEIGHT - 8, class: `tick ${anchor}` }, text);

function shape(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}
