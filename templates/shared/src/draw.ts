// A canvas to draw on: white on black, as the digits that the model was trained on.

/** Calls `onDrawn` after each stroke. Returns a function that clears the canvas. */
export function drawOn(canvas: HTMLCanvasElement, onDrawn: () => void): () => void {
  const pen = canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  const clear = () => pen.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { strokeStyle: "white", lineWidth: 22, lineCap: "round", lineJoin: "round" });

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    pen.lineTo(event.offsetX, event.offsetY);
    pen.stroke();
  });
  canvas.addEventListener("pointerup", onDrawn);

  // A seven to begin with.
  pen.stroke(new Path2D("M 80 70 H 200 L 120 220"));
  return clear;
}
