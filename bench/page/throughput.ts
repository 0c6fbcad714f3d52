// Runs in the page: measures the throughput of parallel predictions against serial ones.
import type { Client, ClientOptions, Model, Prediction, TaskKind } from "../../src/index.js";
import type { ImageInput, PredictInput } from "../../src/page/api-types.js";
import type { Backend } from "../../src/shared/types/tensor.js";
import { settled } from "./insitu.js";
import { photo } from "./photo.js";

type CreateClient = (options: ClientOptions) => Client;
type BatchModel = Model & {
  predictAll(inputs: Iterable<PredictInput>, options?: { batchSize?: number }): AsyncIterable<Prediction>;
};

/** Milliseconds per round for all inputs, and the backend that ran. */
export interface Throughput {
  fast: number[];
  slow: number[];
  backends: string[];
  digest: string;
  isolated: boolean;
}

interface Run {
  name: "fast" | "slow";
  run(): Promise<Prediction[]>;
}

// In these rounds every worker of a pool opens the model and compiles its kernels.
const WARM_UP_ROUNDS = 2;
// Outputs may differ in the last bits if the batch size differs.
const TOLERANCE = 1e-4;

/** Compares `predictAll` with two workers (`fast`) and one (`slow`). */
export async function pools(
  createClient: CreateClient,
  base: string,
  pictures: string[],
  count: number,
  backend: Backend,
  rounds: number,
): Promise<Throughput> {
  const photos = await Promise.all(pictures.map(photo));
  const images = Array.from({ length: count }, (_, index) => photos[index % photos.length] as ImageInput);
  const clients = [2, 1].map((pool) => createClient({ backends: [backend], pool }));
  const [two, one] = (await Promise.all(clients.map((client) => client.load<TaskKind>(base)))) as [
    BatchModel,
    BatchModel,
  ];
  await Promise.all([settled(two), settled(one)]);
  const all = async (model: BatchModel) => {
    if (typeof model.predictAll !== "function") throw new Error("This build of the library has no predictAll.");
    const predictions: Prediction[] = [];
    for await (const prediction of model.predictAll(images, { batchSize: 8 })) predictions.push(prediction);
    return predictions;
  };
  const found = await takeTurns([{ name: "fast", run: () => all(two) }, { name: "slow", run: () => all(one) }], count, rounds); // biome-ignore format: a pair
  await Promise.all(clients.map((client) => client.dispose()));
  return { ...found, digest: one.info.digest };
}

/** Compares `count` concurrent calls of `predict` (`fast`) with serial ones (`slow`), on 28 x 28 images or on numbers. */
export async function concurrent(
  createClient: CreateClient,
  base: string,
  kind: "pictures" | "numbers",
  count: number,
  backend: Backend,
  rounds: number,
): Promise<Throughput> {
  const drawn = Array.from({ length: count }, (_, index) => digit(String(index % 10)));
  const inputs: PredictInput[] = kind === "pictures" ? drawn : drawn.map(toNumbers);
  const client = createClient({ backends: [backend] });
  const model = await client.load<TaskKind>(base);
  await settled(model);
  const serial = async () => {
    const predictions: Prediction[] = [];
    for (const input of inputs) predictions.push(await model.predict(input));
    return predictions;
  };
  const together = () => Promise.all(inputs.map((input) => model.predict(input)));
  const found = await takeTurns([{ name: "fast", run: together }, { name: "slow", run: serial }], count, rounds); // biome-ignore format: a pair
  await client.dispose();
  return { ...found, digest: model.info.digest };
}

/** Each round runs both in alternating order. Both must return the same outputs in the order of the inputs. */
async function takeTurns(runs: [Run, Run], count: number, rounds: number): Promise<Omit<Throughput, "digest">> {
  const times: Record<Run["name"], number[]> = { fast: [], slow: [] };
  const backends = new Set<string>();
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const results: Prediction[][] = [];
    for (const { name, run } of round % 2 === 0 ? runs : runs.toReversed()) {
      const started = performance.now();
      const predictions = await run();
      if (round >= 0) times[name].push(performance.now() - started);
      if (predictions.length !== count) throw new Error(`${predictions.length} predictions of ${count} inputs.`);
      for (const { backend } of predictions) backends.add(backend);
      results.push(predictions);
    }
    const odd = results[0]?.findIndex((prediction, at) => !isClose(prediction, results[1]?.[at]));
    if (odd !== -1) throw new Error(`Input ${odd} has another output when it is predicted together with others.`);
  }
  return { ...times, backends: [...backends], isolated: crossOriginIsolated };
}

function isClose(one: Prediction, other: Prediction | undefined): boolean {
  return Object.entries(one.outputs).every(([name, { data }]) => {
    const against = other?.outputs[name]?.data;
    return against?.length === data.length && data.every((value, at) => Math.abs(value - (against[at] ?? 0)) <= TOLERANCE * Math.max(1, Math.abs(value))); // biome-ignore format: one condition
  });
}

/** White on black, as the training data is. */
function digit(text: string): ImageData {
  const context = new OffscreenCanvas(28, 28).getContext("2d");
  if (!context) throw new Error("Could not create a 28 x 28 canvas.");
  context.fillRect(0, 0, 28, 28);
  Object.assign(context, { fillStyle: "white", font: "24px sans-serif", textAlign: "center", textBaseline: "middle" });
  context.fillText(text, 14, 15);
  return context.getImageData(0, 0, 28, 28);
}

const toNumbers = ({ data }: ImageData): Float32Array =>
  Float32Array.from({ length: data.length / 4 }, (_, at) => (data[at * 4] ?? 0) / 255);
