// Runs in the page: times one load by each engine, from the call until the first output is read back.
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import type { Client } from "../../src/index.js";
import type { ClientOptions } from "../../src/page/api-types.js";
import type { ModelInfo } from "../../src/shared/types/model.js";

export interface Loaded {
  ms: number;
  /** First numbers of a prediction that is not timed; all engines must return the same. */
  output: number[];
}

export interface LoadedByInsitu extends Loaded {
  info: ModelInfo;
}

export type From = "network" | "store";

const DATABASE = "insitu-bench";
/** A row that exists in every table. */
const ID = 7;
const INPUT = "ids:0";
let client: Client;

/** Starts the worker and the backend before anything is timed. */
export async function startInsitu(createClient: (options: ClientOptions) => Client, tiny: string): Promise<void> {
  client = createClient({
    backends: ["wasm"],
    storage: { name: DATABASE, maxBytes: 2e9 },
    worker: collectableWorker,
  });
  await client.load(tiny);
}

export async function startPlain(tiny: string): Promise<void> {
  setWasmPaths("/dist/wasm/");
  if (!(await tf.setBackend("wasm"))) throw new Error("plain tfjs could not start wasm");
  // Not disposed, as in insitu, so that both backends already hold a model.
  await firstOutput(await loadGraphModel(`${tiny}model.json`));
}

export async function loadInsitu(base: string): Promise<LoadedByInsitu> {
  const started = performance.now();
  // Resolves after a run on zeros whose output was read back.
  const model = await client.load<"raw">(base);
  const ms = performance.now() - started;
  const { outputs } = await model.predict(Int32Array.of(ID));
  // Otherwise the next load would compete with the writes.
  await model.stored;
  const { info } = model;
  await model.dispose();
  return { ms, info, output: Array.from(Object.values(outputs)[0]?.data.slice(0, 8) ?? []) };
}

export async function loadPlain(base: string, from: From): Promise<Loaded> {
  const started = performance.now();
  const model = await (from === "store"
    ? loadGraphModel(`indexeddb://${base}`)
    : loadGraphModel(`${base}model.json`, { requestInit: { cache: "no-store" } }));
  await firstOutput(model);
  const ms = performance.now() - started;
  const input = tf.tensor([ID], [1], "int32");
  const output = Array.from((await read(model, input)).slice(0, 8));
  model.dispose();
  return { ms, output };
}

async function firstOutput(model: GraphModel): Promise<void> {
  await read(model, tf.zeros([1], "int32"));
}

async function read(model: GraphModel, input: tf.Tensor): Promise<Float32Array> {
  const output = model.execute({ [INPUT]: input }) as tf.Tensor;
  const data = (await output.data()) as Float32Array;
  tf.dispose([input, output]);
  return data;
}

/** Reads every byte of the package from the HTTP cache without decoding: a lower bound for a load from there. */
export async function readHttpCache(base: string): Promise<{ ms: number }> {
  const { files } = await (await fetch(`${base}insitu.json`, { cache: "force-cache" })).json();
  const started = performance.now();
  const read = async ({ path }: { path: string }) => (await fetch(base + path, { cache: "force-cache" })).arrayBuffer();
  await Promise.all(files.map(read));
  return { ms: performance.now() - started };
}

// ---- what is stored ----------------------------------------------------------------------------------------------

/** Saves the model in tfjs's own IndexedDB store. */
export async function keepPlain(base: string): Promise<void> {
  const model = await loadGraphModel(`${base}model.json`);
  await model.save(`indexeddb://${base}`);
  model.dispose();
}

export async function dropPlain(base: string): Promise<void> {
  await tf.io.removeModel(`indexeddb://${base}`);
}

/** Empties insitu's store for this model; the worker keeps running. */
export async function forget(base: string): Promise<void> {
  await client.store.delete(base);
}

// ---- garbage -----------------------------------------------------------------------------------------------------

const channel = new BroadcastChannel("bench-gc");

/** The library's worker, extended by a message that collects garbage. */
function collectableWorker(): Worker {
  const code = `import "${location.origin}/dist/worker.js";
    const channel = new BroadcastChannel("bench-gc");
    channel.onmessage = () => { gc(); channel.postMessage("done"); };`;
  return new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
}

/** Collects garbage in the page and the worker, so that a load is not slowed down by the previous one. */
export async function collect(): Promise<void> {
  (globalThis as unknown as { gc(): void }).gc();
  if (!client) return;
  const collected = new Promise((resolve) => channel.addEventListener("message", resolve, { once: true }));
  channel.postMessage("collect");
  await collected;
}
