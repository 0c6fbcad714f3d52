// Turns drawn strokes into the 28 by 28 picture that a digit reader was trained on, as MNIST prepared its own.

export interface Point {
  x: number;
  y: number;
}
/** A line without lifting the pen; coordinates from 0 to 1, the drawing area's sides. */
export type Stroke = Point[];

// MNIST: the digit fits a box of 20 pixels, its centre of mass is in the middle of 28.
const SIDE = 28;
const BOX = 20;
// Pen strokes there are 2 to 3 pixels wide.
const PEN = 2.4;
// A dot has no size to scale up to.
const SMALLEST = 0.02;

/** White strokes on black, or null when nothing was drawn. */
export function asDigit(strokes: Stroke[]): ImageData | null {
  const points = strokes.flat();
  if (points.length === 0) return null;
  const left = Math.min(...points.map((p) => p.x));
  const top = Math.min(...points.map((p) => p.y));
  const width = Math.max(...points.map((p) => p.x)) - left;
  const height = Math.max(...points.map((p) => p.y)) - top;
  const scale = (BOX - PEN) / Math.max(width, height, SMALLEST);
  const centred = { x: (SIDE - width * scale) / 2 - left * scale, y: (SIDE - height * scale) / 2 - top * scale };
  const mass = centreOfMass(render(strokes, scale, centred));
  const middle = (SIDE - 1) / 2;
  return render(strokes, scale, { x: centred.x + middle - mass.x, y: centred.y + middle - mass.y });
}

function render(strokes: Stroke[], scale: number, offset: Point): ImageData {
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  if (!context) throw new Error("This browser gives no canvas to draw on.");
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIDE, SIDE);
  context.setTransform(scale, 0, 0, scale, offset.x, offset.y);
  drawStrokes(context, strokes, "#fff", PEN / scale);
  return context.getImageData(0, 0, SIDE, SIDE);
}

function centreOfMass({ data, width, height }: ImageData): Point {
  let sum = 0;
  let x = 0;
  let y = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const ink = data[(row * width + column) * 4] ?? 0;
      sum += ink;
      x += ink * column;
      y += ink * row;
    }
  }
  return sum > 0 ? { x: x / sum, y: y / sum } : { x: (width - 1) / 2, y: (height - 1) / 2 };
}

/** In the units of the context's transform. */
export function drawStrokes(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  strokes: Stroke[],
  colour: string,
  pen: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = pen;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const [first, ...rest] of strokes) {
    if (!first) continue;
    context.beginPath();
    context.moveTo(first.x, first.y);
    // A single point still leaves a dot: a line to itself has round caps.
    for (const point of rest.length > 0 ? rest : [first]) context.lineTo(point.x, point.y);
    context.stroke();
  }
}
