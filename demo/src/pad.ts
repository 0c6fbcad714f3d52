// The drawing area: records the pointer's path as strokes and draws them at the screen's resolution.
import { drawStrokes, type Stroke } from "./strokes.js";

export interface Pad {
  /** Replaces the drawing without calling the listener. */
  set(strokes: Stroke[]): void;
}

// Width of the pen relative to the drawing area, about that of a felt pen.
const PEN = 0.05;

/** `onStroke` receives all strokes each time the pointer is lifted. */
export function createPad(canvas: HTMLCanvasElement, onStroke: (strokes: Stroke[]) => void): Pad {
  let strokes: Stroke[] = [];
  let drawing: { pointer: number; stroke: Stroke } | undefined;

  const redraw = () => {
    const density = window.devicePixelRatio || 1;
    const side = Math.round(canvas.clientWidth * density);
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    context?.setTransform(side, 0, 0, side, 0, 0);
    // Drawn in the page's text colour, for light and dark mode.
    if (context) drawStrokes(context, strokes, getComputedStyle(canvas).color, PEN);
  };

  const at = (event: PointerEvent) => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (drawing || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    drawing = { pointer: event.pointerId, stroke: [at(event)] };
    strokes = [...strokes, drawing.stroke];
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drawing?.pointer !== event.pointerId) return;
    // The pointer moves more often than frames are drawn; these are all its positions.
    const positions = event.getCoalescedEvents?.() ?? [];
    drawing.stroke.push(...(positions.length > 0 ? positions : [event]).map(at));
    redraw();
  });
  const lift = (event: PointerEvent) => {
    if (drawing?.pointer !== event.pointerId) return;
    drawing = undefined;
    onStroke(strokes);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);

  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  return {
    set(next) {
      strokes = next;
      redraw();
    },
  };
}
