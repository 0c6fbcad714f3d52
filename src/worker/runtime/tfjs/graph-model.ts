// Opens a graph model on tfjs; its weights become tensors as they arrive.
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import { clone, dispose, io, type NamedTensorMap, Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { beginRewrite, isPart } from "../graph/begin-rewrite.js";
import { prepareGraph, type Topology } from "../graph/prepare.js";
import type { GraphNode } from "../graph/types.js";
import type { ModelSource, Session, Target } from "../session/engine.js";
import type { RunningBackend } from "./backends.js";
import { limitLoops } from "./loop-budget.js";
import { compileInParallel } from "./parallel-compile.js";
import { createSession } from "./session.js";
import { decodeWeights } from "./weights.js";

// Ops whose results depend on the data: tfjs runs them in `executeAsync` only (graph_executor.js, isControlFlow and isDynamicShape).
const ASYNC_OPS = new Set([
  ...["Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "If", "StatelessIf", "While", "StatelessWhile"],
  ...["NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "Where"],
]);

export async function openGraph(source: ModelSource, target: Target, running: RunningBackend): Promise<Session> {
  const topology = source.model.json.modelTopology as Topology;
  const { nodes, tensors } = await prepare(source, topology, target, running);
  const { json, weightSpecs } = source.model;
  const artifacts = {
    ...json,
    modelTopology: { ...topology, node: nodes },
    weightSpecs,
    weightData: new ArrayBuffer(0),
  };
  let model: GraphModel;
  try {
    // tfjs's own decoder needs all bytes at once, and keeps them beside the tensors.
    const handler = { load: async () => artifacts as unknown as io.ModelArtifacts };
    model = await loadGraphModel(handler, {}, { ...io, decodeWeights: () => tensors });
  } catch (error) {
    dispose(tensors);
    throw error;
  }
  const names = source.outputs.map((output) => output.name);
  // Functions are the bodies of loops and branches.
  const isAsync = (topology.library?.function?.length ?? 0) > 0 || nodes.some(({ op }) => ASYNC_OPS.has(op));
  const beginRun = limitLoops(model);
  const executeAsync = (feeds: NamedTensorMap, wanted: string | string[]) => {
    beginRun();
    return model.executeAsync(feeds, wanted);
  };
  const constants = new Set(Object.values(model.weights).flat());
  /**
   * Makes a result of `executeAsync` the caller's own to dispose: a constant of the model or an input is cloned. What the run alone made must
   * not be, or it would never be freed: tfjs's tidy cannot wait.
   */
  const owned = (result: Tensor, feeds: NamedTensorMap) =>
    constants.has(result) || Object.values(feeds).includes(result) ? clone(result) : result;
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    isAsync
      ? list(await executeAsync(feeds, names)).map((result) => owned(result, feeds))
      : // Clones, since an output may be one of the model's constants, and what is returned here is disposed.
        tidy(() => list(model.execute(feeds, names)).map(clone));
  const embedding = isPart(source, nodes) ? source.embedding : undefined;
  const embed =
    embedding &&
    (async (feeds: NamedTensorMap): Promise<Tensor> =>
      isAsync
        ? owned((await executeAsync(feeds, embedding.node)) as Tensor, feeds)
        : tidy(() => clone(model.execute(feeds, embedding.node) as Tensor)));
  // A graph whose control flow depends on data cannot be run without data.
  if (target.backend === "webgpu" && !isAsync) await compileInParallel(source.inputs, execute);
  const noPlan = isAsync ? "the model has control flow, or results whose size depends on the input" : undefined;
  // One tensor each.
  const weights = () =>
    Object.fromEntries(Object.entries(model.weights).map(([name, [only]]) => [name, only as Tensor]));
  return createSession({ source, target, running, execute, embed, noPlan, weights, free: () => model.dispose() });
}

function list(result: Tensor | Tensor[] | NamedTensorMap): Tensor[] {
  if (Array.isArray(result)) return result;
  return result instanceof Tensor ? [result] : Object.values(result);
}

interface Prepared {
  nodes: GraphNode[];
  tensors: NamedTensorMap;
}

/** The graph to run and its constants on the device. */
async function prepare(
  source: ModelSource,
  topology: Topology,
  { backend }: Target,
  { use }: RunningBackend,
): Promise<Prepared> {
  const preparation = await prepareGraph(source, topology, async () => ({ beginRewrite }));
  const { keep, skip } = preparation;
  const { weightSpecs } = source.model;
  const { tensors, values } = await decodeWeights(weightSpecs, source.weights(), backend, { use, keep, skip });
  try {
    const { nodes, constants, unused } = preparation.finish(values);
    for (const name of unused) {
      tensors[name]?.dispose();
      delete tensors[name];
    }
    for (const [name, { values: data, shape, dtype }] of constants) tensors[name] = tensor(data, shape, dtype);
    preparation.store();
    return { nodes, tensors };
  } catch (error) {
    dispose(tensors);
    throw error;
  }
}
