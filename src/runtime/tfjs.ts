// The engine that runs models on TensorFlow.js: model bytes in, plain data out, no tensor leaves.
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import {
  clone,
  dispose,
  getKernelsForBackend,
  io,
  memory,
  type NamedTensorMap,
  Tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import type { ModelJson } from "../model/topology.js";
import type { Backend } from "../types.js";
import { missingOps } from "./kernels.js";
import type { Engine, ModelSource, Session, Target } from "./session.js";
import { createBackends, probe, type Running } from "./tfjs-backends.js";
import { compileInParallel } from "./tfjs-compile.js";
import { createSession } from "./tfjs-session.js";
import type { WasmAssets } from "./tfjs-wasm.js";
import { decodeWeights } from "./tfjs-weights.js";

export function tfjsEngine(assets: WasmAssets): Engine {
  const backends = createBackends(assets);
  return {
    probe,
    missingOps: (model, backend) => missingOps(model, kernelsOf(backend), kernelsOf("cpu")),
    tensorCount: () => memory().numTensors,
    async start(target) {
      await backends.start(target);
    },
    stop: backends.stop,
    async open(source, target) {
      const running = await backends.start(target);
      const open = source.model.format === "tfjs-graph-model" ? openGraph : openLayers;
      return open(source, target, running);
    },
  };
}

const kernelsOf = (backend: Backend) => new Set(getKernelsForBackend(backend).map(({ kernelName }) => kernelName));

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

function needsAsync(model: ModelJson): boolean {
  const { node = [], library } = model.json.modelTopology as {
    node?: { op: string }[];
    library?: { function?: unknown[] };
  };
  // Functions are the bodies of loops and branches.
  return (library?.function?.length ?? 0) > 0 || node.some(({ op }) => ASYNC_OPS.has(op));
}

async function openGraph(source: ModelSource, target: Target, running: Running): Promise<Session> {
  const tensors = await decodeWeights(source.model.weightSpecs, source.weights(), target.backend);
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
  // What depends on data cannot be run without any.
  if (target.backend === "webgpu" && !isAsync) await compileInParallel(source.inputs, execute);
  return createSession({ source, target, running, execute, free: () => model.dispose() });
}

async function openLayers(source: ModelSource, target: Target, running: Running): Promise<Session> {
  // tfjs's layers offer no way in for tensors: such models, which are small as a rule, are decoded from all their bytes.
  const bytes: ArrayBuffer[] = [];
  for await (const chunk of source.weights()) bytes.push(chunk.slice(0));
  const model: LayersModel = await loadLayersModel(handler(source, bytes));
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    tidy(() => list(model.predict(source.inputs.map((input) => feeds[input.name] as Tensor))).map(clone));
  return createSession({ source, target, running, execute, free: () => model.dispose() });
}

function list(result: Tensor | Tensor[] | NamedTensorMap): Tensor[] {
  if (Array.isArray(result)) return result;
  return result instanceof Tensor ? [result] : Object.values(result);
}
