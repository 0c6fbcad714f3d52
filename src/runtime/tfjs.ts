// The engine that runs models on TensorFlow.js: model bytes in, plain data out, no tensor leaves.
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import {
  clone,
  dispose,
  io,
  memory,
  type NamedTensorMap,
  setBackend,
  Tensor,
  tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import { InsituError } from "../errors.js";
import type { Backend, DType, TensorData, TypedArray } from "../types.js";
import type { Engine, ModelSource, Ran, Session } from "./session.js";
import { probe, start, type WasmAssets } from "./tfjs-backends.js";
import { decodeWeights } from "./tfjs-weights.js";

export function tfjsEngine(assets: WasmAssets): Engine {
  return {
    probe,
    tensorCount: () => memory().numTensors,
    async open(source, backend) {
      await start(backend, assets);
      return source.model.format === "tfjs-graph-model" ? openGraph(source, backend) : openLayers(source, backend);
    },
  };
}

/** The package as tfjs's loader wants it; nothing is fetched. */
function handler({ model }: ModelSource, weightData: io.ModelArtifacts["weightData"]): io.IOHandler {
  const artifacts = { ...model.json, weightSpecs: model.weightSpecs, weightData } as io.ModelArtifacts;
  return { load: () => Promise.resolve(artifacts) };
}

// Ops whose results depend on the data: tfjs runs them in `executeAsync` only (graph_executor.js, isControlFlow and isDynamicShape).
const ASYNC_OPS = new Set([
  ...["Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "If", "StatelessIf", "While", "StatelessWhile"],
  ...["NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "Where"],
]);

function needsAsync(model: ModelSource["model"]): boolean {
  const { node = [], library } = model.json.modelTopology as {
    node?: { op: string }[];
    library?: { function?: unknown[] };
  };
  // Functions are the bodies of loops and branches.
  return (library?.function?.length ?? 0) > 0 || node.some(({ op }) => ASYNC_OPS.has(op));
}

async function openGraph(source: ModelSource, backend: Backend): Promise<Session> {
  const tensors = await decodeWeights(source.model.weightSpecs, source.weights(), backend);
  let model: GraphModel;
  try {
    // tfjs would want all bytes at once, and would hold them beside the tensors.
    model = await loadGraphModel(handler(source, new ArrayBuffer(0)), {}, { ...io, decodeWeights: () => tensors });
  } catch (error) {
    dispose(tensors);
    throw error;
  }
  const names = source.outputs.map((output) => output.name);
  const isAsync = needsAsync(source.model);
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    // Clones, since an output may be one of the model's constants, and what is returned here is disposed.
    isAsync ? list(await model.executeAsync(feeds, names)) : tidy(() => list(model.execute(feeds, names)).map(clone));
  return session(source, backend, execute, () => model.dispose());
}

async function openLayers(source: ModelSource, backend: Backend): Promise<Session> {
  // tfjs's layers offer no way in for tensors: such models, which are small as a rule, are decoded from all their bytes.
  const bytes: ArrayBuffer[] = [];
  for await (const chunk of source.weights()) bytes.push(chunk.slice(0));
  const model: LayersModel = await loadLayersModel(handler(source, bytes));
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    tidy(() => list(model.predict(source.inputs.map((input) => feeds[input.name] as Tensor))).map(clone));
  return session(source, backend, execute, () => model.dispose());
}

function list(result: Tensor | Tensor[] | NamedTensorMap): Tensor[] {
  if (Array.isArray(result)) return result;
  return result instanceof Tensor ? [result] : Object.values(result);
}

type Execute = (feeds: NamedTensorMap) => Promise<Tensor[]>;

function session(source: ModelSource, backend: Backend, execute: Execute, free: () => void): Session {
  let open = true;
  return {
    backend,
    async run(feeds) {
      if (!open) throw new InsituError("aborted", "The model was disposed.", { reason: "disposed" });
      // Sessions of several backends share tfjs's one global backend.
      await setBackend(backend);
      return run(source, feeds, execute);
    },
    dispose() {
      if (!open) return;
      open = false;
      free();
    },
  };
}

async function run(source: ModelSource, feeds: Record<string, TensorData>, execute: Execute): Promise<Ran> {
  const started = performance.now();
  const inputs: NamedTensorMap = {};
  let results: Tensor[] = [];
  try {
    for (const [name, { data, shape, dtype }] of Object.entries(feeds)) inputs[name] = tensor(data, shape, dtype);
    results = await execute(inputs);
    const executed = performance.now();
    const data = await Promise.all(results.map((result) => result.data()));
    const outputs: Record<string, TensorData> = {};
    for (const [index, { name }] of source.outputs.entries()) {
      const result = results[index];
      if (!result) throw new InsituError("model_format", `The model has no output named ${name}.`, { output: name });
      outputs[name] = {
        // cpu answers with the tensor's own memory, which may be a weight's: what leaves is always a copy.
        data: (data[index] as TypedArray).slice() as TypedArray,
        shape: result.shape.slice(),
        dtype: result.dtype as DType,
      };
    }
    return { outputs, executeMs: executed - started, readbackMs: performance.now() - executed };
  } finally {
    for (const input of Object.values(inputs)) input.dispose();
    for (const result of results) result.dispose();
  }
}
