// A small chart of how the accuracy grew over the versions, with its interval as a band.
import type { PersonalVersion } from "insitu";
import { percent } from "../words.js";

const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 56;
const BOTTOM = 30;
const TOP = 12;
const RIGHT = 14;
const SVG = "http://www.w3.org/2000/svg";

function shape(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

interface Point {
  version: number;
  pictures: number;
  accuracy: number;
  low: number;
  high: number;
}

export function growthChart(versions: PersonalVersion[], active: number): SVGElement {
  const points = versions.flatMap(({ version, judged, head, counts }): Point[] => {
    const judgement = judged[head];
    if (judgement?.accuracy === undefined) return [];
    const [low, high] = judgement.interval;
    const pictures = Object.values(counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
    return [{ version, pictures, accuracy: judgement.accuracy, low, high }];
  });
  const last = points.at(-1);
  const label = last
    ? `Accuracy over ${points.length} versions; the last has ${percent(last.accuracy)} with ${last.pictures} pictures.`
    : "No version was judged yet: of every four pictures of a class one is held out for that.";
  const svg = shape("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": label,
    class: "chart-growth",
  });
  const y = (share: number) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  for (const share of [0, 0.5, 1]) {
    svg.append(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share), class: "grid" }));
    svg.append(shape("text", { x: LEFT - 8, y: y(share) + 4, class: "tick end" }, `${share * 100} %`));
  }
  if (!last) {
    svg.append(
      shape(
        "text",
        { x: WIDTH / 2, y: HEIGHT / 2 - 8, class: "tick middle" },
        "Add four pictures of a class, and train.",
      ),
    );
    return svg;
  }
  // By version, for two may have the same number of pictures.
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, points.length);
  const x = (index: number) => LEFT + step * (index + 0.5);
  const band = [
    ...points.map(({ high }, index) => `${x(index)},${y(high)}`),
    ...points.map(({ low }, index) => `${x(index)},${y(low)}`).reverse(),
  ];
  svg.append(shape("polygon", { points: band.join(" "), class: "band" }));
  svg.append(
    shape("polyline", {
      points: points.map(({ accuracy }, index) => `${x(index)},${y(accuracy)}`).join(" "),
      class: "curve",
    }),
  );
  const every = Math.ceil(points.length / 8);
  for (const [index, { accuracy, low, high, version, pictures }] of points.entries()) {
    svg.append(shape("line", { x1: x(index), x2: x(index), y1: y(low), y2: y(high), class: "whisker" }));
    svg.append(
      shape("circle", {
        cx: x(index),
        cy: y(accuracy),
        r: version === active ? 6 : 4,
        class: version === active ? "dot now" : "dot",
      }),
    );
    if (index % every === 0)
      svg.append(shape("text", { x: x(index), y: HEIGHT - 8, class: "tick middle" }, `${pictures}`));
  }
  svg.append(shape("text", { x: WIDTH - RIGHT, y: HEIGHT - 8, class: "tick end" }, "pictures"));
  return svg;
}
