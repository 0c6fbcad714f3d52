// Runs in the page: what a prediction costs beside its computing, split where the library's messages pass.
import type { Client, ClientOptions, Model, PredictionTimings, TaskKind } from "../../src/index.js";
import type { PredictInput } from "../../src/page/api-types.js";
import type { Backend } from "../../src/shared/types/tensor.js";
import { settled } from "./insitu.js";

type CreateClient = (options: ClientOptions) => Client;

export const INPUTS = [
  "numbers",
  "canvas",
  "canvas that is read often",
  "OffscreenCanvas",
  "ImageData",
  "canvas of 280 x 280",
  "canvas, after a pause",
] as const;
export type InputName = (typeof INPUTS)[number];

/** Where the time of a prediction goes, in milliseconds. They add up to `total`. */
export const PARTS = [
  /** From the call until the message is on its way. */
  "prepare",
  /** Both ways, with what neither side measures. */
  "messages",
  "queue",
  "preprocess",
  "execute",
  "readback",
  "postprocess",
  /** From the answer's arrival until the caller has it. */
  "deliver",
] as const;
export type PartName = (typeof PARTS)[number];

/** Of one round: means over its predictions, since the clock of a page that is not isolated ticks every 0.1 ms. */
export type Sample = Record<PartName | "total", number>;

export interface Overhead {
  samples: Record<InputName, Sample[]>;
  /** Of each round: a message of the size of a prediction to a worker that answers at once, and back. */
  echo: number[];
  backends: string[];
  digest: string;
}

// They compile kernels, record plans and fill caches.
const WARM_UP_ROUNDS = 3;
const PREDICTIONS = 20;
/** As long as a page may take to draw the next stroke: threads sleep meanwhile. */
const PAUSE_MS = 20;

/** When the last message left for a worker of the library, and when the last one came. */
const last = { sent: 0, received: 0 };

/** Each round predicts from every kind of input, in an order that rotates. */
export async function overhead(
  createClient: CreateClient,
  base: string,
  backend: Backend,
  rounds: number,
): Promise<Overhead> {
  watchWorkers();
  const client = createClient({ backends: [backend] });
  const model = await client.load<TaskKind>(base);
  await settled(model);
  const echo = openEcho();
  const inputs = makeInputs();
  const samples = Object.fromEntries(INPUTS.map((name) => [name, [] as Sample[]])) as Record<InputName, Sample[]>;
  const echoes: number[] = [];
  const backends = new Set<string>();
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const turn = Math.abs(round) % INPUTS.length;
    for (const name of [...INPUTS.slice(turn), ...INPUTS.slice(0, turn)]) {
      const sample = await measure(model, inputs[name], backends, name === "canvas, after a pause" ? PAUSE_MS : 0);
      if (round >= 0) samples[name].push(sample);
    }
    const mean = await echo();
    if (round >= 0) echoes.push(mean);
  }
  await client.dispose();
  return { samples, echo: echoes, backends: [...backends], digest: model.info.digest };
}

async function measure(
  model: Model<TaskKind>,
  input: PredictInput,
  backends: Set<string>,
  pause: number,
): Promise<Sample> {
  const sums = Object.fromEntries([...PARTS, "total"].map((name) => [name, 0])) as Sample;
  for (let index = 0; index < PREDICTIONS; index += 1) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    const started = performance.now();
    const { timings, backend } = await model.predict(input);
    const ended = performance.now();
    backends.add(backend);
    const inWorker = workerParts(timings);
    sums.prepare += last.sent - started;
    sums.deliver += ended - last.received;
    sums.messages += last.received - last.sent - Object.values(inWorker).reduce((sum, value) => sum + value, 0);
    for (const [name, value] of Object.entries(inWorker)) sums[name as PartName] += value;
    sums.total += ended - started;
  }
  for (const name of [...PARTS, "total"] as const) sums[name] /= PREDICTIONS;
  return sums;
}

const workerParts = ({ queueMs, preprocessMs, executeMs, readbackMs, postprocessMs }: PredictionTimings) => ({
  queue: queueMs,
  preprocess: preprocessMs,
  execute: executeMs,
  readback: readbackMs,
  postprocess: postprocessMs,
});

/** Notes when messages leave and come. Its listener is a worker's first, so that it hears an answer before the library does. */
function watchWorkers(): void {
  const post = Worker.prototype.postMessage as (...given: unknown[]) => void;
  Worker.prototype.postMessage = function (this: Worker, ...given: unknown[]) {
    post.apply(this, given);
    last.sent = performance.now();
  };
  window.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener("message", () => {
        last.received = performance.now();
      });
    }
  };
}

/** The mean of some messages to a worker and back, each as large as a digit and its prediction. */
function openEcho(): () => Promise<number> {
  const script = "onmessage = ({ data }) => postMessage(data.answer)";
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const data = { input: new Uint8ClampedArray(28 * 28 * 4), answer: { value: Array.from({ length: 10 }, (_, index) => ({ label: `${index}`, index, score: 0.1 })), timings: [1, 2, 3, 4, 5], outputs: { scores: new Float32Array(10) } } }; // biome-ignore format: data
  return async () => {
    const started = performance.now();
    for (let index = 0; index < PREDICTIONS; index += 1) {
      const answered = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
      worker.postMessage(data);
      await answered;
    }
    return (performance.now() - started) / PREDICTIONS;
  };
}

function makeInputs(): Record<InputName, PredictInput> {
  const canvas = drawDigit(document.createElement("canvas"), 28);
  const often = drawDigit(document.createElement("canvas"), 28, { willReadFrequently: true });
  const image = read(often, 28);
  return {
    numbers: Float32Array.from({ length: 28 * 28 }, (_, at) => (image.data[at * 4] ?? 0) / 255),
    canvas,
    "canvas that is read often": often,
    OffscreenCanvas: drawDigit(new OffscreenCanvas(28, 28), 28),
    ImageData: image,
    "canvas of 280 x 280": drawDigit(document.createElement("canvas"), 280),
    "canvas, after a pause": canvas,
  };
}

function read(canvas: HTMLCanvasElement, side: number): ImageData {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("The canvas has no 2D context.");
  return context.getImageData(0, 0, side, side);
}

/** White on black, as the training data is. */
function drawDigit<C extends HTMLCanvasElement | OffscreenCanvas>(
  canvas: C,
  side: number,
  settings: CanvasRenderingContext2DSettings = {},
): C {
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d", settings) as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
  context.fillRect(0, 0, side, side);
  context.fillStyle = "white";
  context.font = `${side * 0.85}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText("3", side / 2, side * 0.54);
  return canvas;
}
