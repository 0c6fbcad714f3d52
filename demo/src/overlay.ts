// Draws bounding boxes over a picture, at any size and pixel density.
import type { Detection } from "insitu";
import { classColour, LABEL_INK } from "./colours.js";
import { percent } from "./words.js";

export interface Overlay {
  /** Boxes are in pixels of a picture of `width` by `height`, which `over` shows. */
  show(found: Detection[], over: HTMLElement, width: number, height: number): void;
  clear(): void;
}

interface Shown {
  found: Detection[];
  over: HTMLElement;
  width: number;
  height: number;
}

// In CSS pixels: thin enough to see the object, thick enough on a phone.
const LINE = 2.5;
const FONT = 13;
const LABEL_HEIGHT = 20;
const LABEL_PAD = 6;

export function createOverlay(canvas: HTMLCanvasElement): Overlay {
  let shown: Shown | undefined;
  const redraw = () => draw(canvas, shown);
  const observer = new ResizeObserver(redraw);
  return {
    show(found, over, width, height) {
      if (shown?.over !== over) {
        observer.disconnect();
        observer.observe(over);
      }
      shown = { found, over, width, height };
      redraw();
    },
    clear() {
      observer.disconnect();
      shown = undefined;
      redraw();
    },
  };
}

function draw(canvas: HTMLCanvasElement, shown: Shown | undefined): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  if (!shown || shown.over.clientWidth === 0) {
    canvas.width = canvas.height = 0;
    canvas.style.width = canvas.style.height = "0";
    return;
  }
  const { over } = shown;
  const density = window.devicePixelRatio || 1;
  canvas.style.left = `${over.offsetLeft}px`;
  canvas.style.top = `${over.offsetTop}px`;
  canvas.style.width = `${over.clientWidth}px`;
  canvas.style.height = `${over.clientHeight}px`;
  canvas.width = Math.round(over.clientWidth * density);
  canvas.height = Math.round(over.clientHeight * density);
  context.setTransform(density, 0, 0, density, 0, 0);
  const place = placement(shown);
  // In ascending order, so that the box with the highest score is drawn on top.
  const ascending = [...shown.found].sort((a, b) => a.score - b.score);
  for (const { box, index } of ascending) drawBox(context, box, index, place);
  // All labels after all boxes: no line crosses a label.
  for (const one of ascending) drawLabel(context, one, place, over.clientWidth);
}

interface Placement {
  scale: number;
  left: number;
  top: number;
}

/** Where `object-fit: contain` places the picture in its element. */
function placement({ over, width, height }: Shown): Placement {
  const scale = Math.min(over.clientWidth / width, over.clientHeight / height);
  return { scale, left: (over.clientWidth - width * scale) / 2, top: (over.clientHeight - height * scale) / 2 };
}

function drawBox(
  context: CanvasRenderingContext2D,
  box: Detection["box"],
  index: number,
  { scale, left, top }: Placement,
): void {
  const x = left + box.x * scale;
  const y = top + box.y * scale;
  context.lineJoin = "round";
  // A dark outline keeps the bright line visible on a bright picture.
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = LINE + 2;
  context.strokeRect(x, y, box.width * scale, box.height * scale);
  context.strokeStyle = classColour(index);
  context.lineWidth = LINE;
  context.strokeRect(x, y, box.width * scale, box.height * scale);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  { box, label, index, score }: Detection,
  { scale, left, top }: Placement,
  limit: number,
): void {
  const x = left + box.x * scale;
  const y = top + box.y * scale;
  context.font = `600 ${FONT}px system-ui, sans-serif`;
  const text = `${label} ${percent(score)}`;
  const wide = context.measureText(text).width + 2 * LABEL_PAD;
  const labelX = Math.max(0, Math.min(x - LINE / 2, limit - wide));
  // Above the box, or inside it when the box touches the picture's top.
  const labelY = y >= LABEL_HEIGHT ? y - LABEL_HEIGHT : y;
  context.fillStyle = classColour(index);
  context.fillRect(labelX, labelY, wide, LABEL_HEIGHT);
  context.fillStyle = LABEL_INK;
  context.textBaseline = "middle";
  context.fillText(text, labelX + LABEL_PAD, labelY + LABEL_HEIGHT / 2 + 0.5);
}
