// Reads the digit on the canvas, again after each stroke.
import { useModel, usePrediction } from "insitu/react";
import { useEffect, useRef, useState } from "react";
import { drawOn } from "./draw";

export function App() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const clear = useRef(() => {});
  const [drawing, setDrawing] = useState<ImageData>();
  const { model, status, progress, error, retry } = useModel("/models/digits/", { task: "classification" });
  const { prediction, error: failure } = usePrediction(model, drawing);

  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    const read = () => setDrawing(element.getContext("2d")?.getImageData(0, 0, element.width, element.height));
    clear.current = drawOn(element, read);
    read();
  }, []);

  const best = prediction?.value[0];
  return (
    <main>
      <canvas ref={canvas} width={280} height={280} aria-label="Draw a digit" />
      {status === "loading" && <progress value={progress?.loaded ?? 0} max={progress?.total ?? 1} />}
      {error && (
        <button type="button" onClick={retry}>
          {error.code}: {error.message} Try again
        </button>
      )}
      <output>{failure ? failure.message : best && `${best.label}: ${Math.round(100 * best.score)} %`}</output>
      <button
        type="button"
        onClick={() => {
          clear.current();
          setDrawing(undefined);
        }}
      >
        Clear
      </button>
    </main>
  );
}
