// LiteRT.js and onnxruntime-web as engines of a comparison, both on wasm, fetched from the benchmark's server.
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { TensorData } from "../../src/shared/types/tensor.js";
import { prepare } from "./prepare.js";
import type { Outputs, Side } from "./side.js";

export interface Peer {
  /** Name in the report. */
  name: string;
  engine: "litert" | "onnxruntime";
  threads: "one" | "all";
  /** URL of the same network in the engine's format. */
  model: string;
}

/** `run` returns the outputs by name; `threads` is the number that the engine reports. */
interface Engine {
  run(input: Float32Array, shape: number[]): Promise<Record<string, Float32Array>>;
  threads(): number;
  dispose(): Promise<void>;
}

export async function loadPeer(peer: Peer, manifest: Manifest): Promise<Side> {
  const threads = peer.threads === "one" ? 1 : navigator.hardwareConcurrency;
  const engine = await start(peer, threads);
  if (engine.threads() !== threads)
    throw new Error(`${peer.name} runs on ${engine.threads()} threads, not ${threads}.`);
  const shape = (manifest.inputs[0]?.shape ?? []).map((size) => Math.abs(size));
  const outputs = async (input: Float32Array) => named(await engine.run(input, shape), manifest);
  // Both engines compile at the first run.
  await outputs(new Float32Array(shape.reduce((all, size) => all * size, 1)));
  return {
    predict: (image) => outputs(prepare(image, manifest)),
    outputs,
    ran: () => ({ backend: "wasm", threads: engine.threads() }),
    dispose: () => engine.dispose(),
  };
}

function start({ engine, model }: Peer, threads: number): Promise<Engine> {
  switch (engine) {
    case "litert":
      return startLiteRt(model, threads);
    case "onnxruntime":
      return startOnnxRuntime(model, threads);
    default:
      return engine satisfies never;
  }
}

/** Renames the outputs to the manifest's names, where `:0` is the first output of a node. */
function named(data: Record<string, Float32Array>, { outputs }: Manifest): Outputs {
  const only = outputs.length === 1 ? Object.values(data)[0] : undefined;
  return Object.fromEntries(
    outputs.map(({ name, shape, dtype }): [string, TensorData] => {
      const found = data[name] ?? data[name.replace(/:0$/, "")] ?? only;
      if (!found) throw new Error(`No output ${name} among ${Object.keys(data).join(", ")}.`);
      return [name, { data: found, shape, dtype }];
    }),
  );
}

// ---- LiteRT.js ---------------------------------------------------------------------------------------------------

interface LiteRtTensor {
  toTypedArray(): Float32Array;
  delete(): void;
}

interface LiteRt {
  loadLiteRt(path: string, options: { threads: boolean }): Promise<{ liteRtWasm: { getThreadCount(): number } }>;
  loadAndCompile(
    url: string,
    options: { accelerator: "wasm"; cpuOptions: { numThreads: number } },
  ): Promise<LiteRtModel>;
  Tensor: new (data: Float32Array, shape: number[]) => LiteRtTensor;
}

interface LiteRtModel {
  getOutputDetails(): readonly { name: string }[];
  run(input: LiteRtTensor[]): Promise<LiteRtTensor[]>;
  delete(): void;
}

async function startLiteRt(url: string, threads: number): Promise<Engine> {
  // A module has one runtime. Another query string loads another module with its own runtime.
  const module = `/bench/litert.js?threads=${threads}`;
  const { loadLiteRt, loadAndCompile, Tensor } = (await import(/* @vite-ignore */ module)) as LiteRt;
  const { liteRtWasm } = await loadLiteRt("/peers/@litertjs/core/wasm/", { threads: threads > 1 });
  const model = await loadAndCompile(url, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
  const names = model.getOutputDetails().map(({ name }) => name);
  return {
    async run(input, shape) {
      const tensor = new Tensor(input, shape);
      const results = await model.run([tensor]);
      const data = results.map((result) => result.toTypedArray().slice());
      for (const each of [tensor, ...results]) each.delete();
      return Object.fromEntries(names.map((name, at) => [name, data[at] ?? new Float32Array()]));
    },
    threads: () => liteRtWasm.getThreadCount(),
    dispose: async () => model.delete(),
  };
}

// ---- onnxruntime-web ---------------------------------------------------------------------------------------------

interface OrtTensor {
  data: Float32Array;
  dispose(): void;
}

interface Ort {
  env: { wasm: { numThreads: number; wasmPaths: string } };
  InferenceSession: { create(url: string, options: { executionProviders: string[] }): Promise<OrtSession> };
  Tensor: new (type: "float32", data: Float32Array, shape: number[]) => OrtTensor;
}

interface OrtSession {
  inputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

async function startOnnxRuntime(url: string, threads: number): Promise<Engine> {
  const folder = "/peers/onnxruntime-web/dist/";
  // As above: the number of threads of a module cannot be changed.
  const module = `${folder}ort.wasm.min.mjs?threads=${threads}`;
  const ort = (await import(/* @vite-ignore */ module)) as Ort;
  Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths: folder });
  const session = await ort.InferenceSession.create(url, { executionProviders: ["wasm"] });
  const [name = ""] = session.inputNames;
  return {
    async run(input, shape) {
      const results = await session.run({ [name]: new ort.Tensor("float32", input, shape) });
      // Outputs of the wasm backend are already copies in the page's memory.
      return Object.fromEntries(Object.entries(results).map(([output, { data }]) => [output, data]));
    },
    threads: () => ort.env.wasm.numThreads,
    dispose: () => session.release(),
  };
}
