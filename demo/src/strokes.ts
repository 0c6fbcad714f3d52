// Converts strokes into a 28 x 28 picture, prepared like the MNIST digits on which the model was trained.

export interface Point {
  x: number;
  y: number;
}
/** A line drawn without lifting the pen. Coordinates are 0 to 1 across the drawing area. */
export type Stroke = Point[];

// MNIST scales a digit to 20 pixels and puts its centre of mass in the middle of 28.
const SIDE = 28;
const BOX = 20;
// Strokes in MNIST are 2 to 3 pixels wide.
const PEN = 2.4;
// Prevents a single dot, which has no size, from being scaled up without limit.
const MIN_SIZE = 0.02;

/** White strokes on black, or null without strokes. */
export function asDigit(strokes: Stroke[]): ImageData | null {
  const points = strokes.flat();
  if (points.length === 0) return null;
  const left = Math.min(...points.map((p) => p.x));
  const top = Math.min(...points.map((p) => p.y));
  const width = Math.max(...points.map((p) => p.x)) - left;
  const height = Math.max(...points.map((p) => p.y)) - top;
  const scale = (BOX - PEN) / Math.max(width, height, MIN_SIZE);
  const centred = { x: (SIDE - width * scale) / 2 - left * scale, y: (SIDE - height * scale) / 2 - top * scale };
  const mass = centreOfMass(render(strokes, scale, centred));
  const middle = (SIDE - 1) / 2;
  return render(strokes, scale, { x: centred.x + middle - mass.x, y: centred.y + middle - mass.y });
}

function render(strokes: Stroke[], scale: number, offset: Point): ImageData {
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  if (!context) throw new Error("This browser could not create a canvas.");
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

/** Coordinates and pen width are in units of the context's transform. */
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
    // A line from a point to itself draws a dot, since the line caps are round.
    for (const point of rest.length > 0 ? rest : [first]) context.lineTo(point.x, point.y);
    context.stroke();
  }
}
