// The engine that runs models on TensorFlow.js: model bytes in, plain data out; tensors stay inside.
import {
  clone,
  getKernelsForBackend,
  type io,
  memory,
  type NamedTensorMap,
  type Tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel, model, type Shape, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { InsituError } from "../../../shared/errors.js";
import type { Backend } from "../../../shared/types/tensor.js";
import { checkOutputSize } from "../graph/output-sizes.js";
import type { Engine, ModelSource, Session, Target } from "../session/engine.js";
import { Backends, probe, type RunningBackend } from "./backends.js";
import { openGraph } from "./graph-model.js";
import { missingOps } from "./missing-kernels.js";
import { createSession, guardedRun, type SessionDeps, toInsituError } from "./session.js";
import type { WasmAssets } from "./wasm.js";

export function tfjsEngine(assets: WasmAssets): Engine {
  const backends = new Backends(assets);
  return {
    probe,
    missingOps: (model, backend) => missingOps(model, kernelsOf(backend), kernelsOf("cpu")),
    memory: () => ({ held: backends.heldBytes(), used: memory().numBytes }),
    tensorCount: () => memory().numTensors,
    async start(target) {
      await backends.start(target);
    },
    stop: (target) => backends.stop(target),
    async lease(target) {
      const running = await backends.start(target);
      const end = running.hold();
      return { target, run: (step) => guardedRun(running, target, step), end };
    },
    async open(source, target) {
      const running = await backends.start(target);
      const open = source.model.format === "tfjs-graph-model" ? openGraph : openLayers;
      try {
        return await open(source, target, running);
      } catch (error) {
        const known = toInsituError(error, target);
        throw known.code === "unknown" ? error : known;
      }
    },
  };
}

const kernelsOf = (backend: Backend) => new Set(getKernelsForBackend(backend).map(({ kernelName }) => kernelName));

async function openLayers(source: ModelSource, target: Target, running: RunningBackend): Promise<Session> {
  // tfjs loads a layers model only from all of its bytes, not from tensors. Such models are usually small.
  const weightData: ArrayBuffer[] = [];
  for await (const chunk of source.weights()) weightData.push(chunk.slice(0));
  const { json, weightSpecs } = source.model;
  const handler = { load: async () => ({ ...json, weightSpecs, weightData }) as io.ModelArtifacts };
  const opened: LayersModel = await loadLayersModel(handler);
  let part: LayersModel;
  try {
    checkLayers(opened);
    part = selectOutputs(opened, source);
  } catch (error) {
    opened.dispose();
    throw error;
  }
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    // Clones: a model without trained layers may return its input.
    tidy(() => [part.predict(inOrder(opened, feeds))].flat().map(clone));
  return createSession({
    source,
    target,
    running,
    execute,
    embed: layersEmbed(opened, source),
    free: () => opened.dispose(),
  });
}

/** Throws `model_too_large` for a layer whose output no browser can hold, wherever it is used, also in models within the model. */
function checkLayers({ layers }: LayersModel): void {
  for (const layer of layers) {
    // One shape, or a list of shapes, for each place where the layer is used.
    for (const { outputShapes } of layer.inboundNodes)
      for (const shape of (Array.isArray(outputShapes[0]) ? outputShapes : [outputShapes]) as Shape[])
        checkOutputSize(shape, `The layer ${layer.name}`);
    if ("layers" in layer) checkLayers(layer as LayersModel);
  }
}

/** The model with the outputs that the manifest lists, which may be some of its own, in another order, or other layers. */
function selectOutputs(from: LayersModel, { outputs }: ModelSource): LayersModel {
  const names = outputs.map(({ name }) => name);
  if (names.join() === from.outputNames.join()) return from;
  const selected = names.map((name) => {
    const own = from.outputs[from.outputNames.indexOf(name)];
    const found = own ?? from.layers.find((layer) => layer.name === name)?.output;
    if (found) return found as SymbolicTensor;
    const message = `The model has no output or layer named ${name}; its outputs are ${from.outputNames.join(", ")}. Correct the manifest's outputs and pack the model again.`;
    throw new InsituError("model_format", message, { output: name, outputs: from.outputNames });
  });
  // It shares the layers and their weights.
  return model({ inputs: from.inputs, outputs: selected });
}

/**
 * The feeds in the model's order, which need not be the manifest's. A sequential model has one input, to which tfjs gives a name of its
 * own.
 */
function inOrder({ inputNames }: LayersModel, feeds: NamedTensorMap): Tensor[] {
  const given = Object.values(feeds);
  return given.length === 1 ? given : inputNames.map((name) => feeds[name] as Tensor);
}

function layersEmbed(from: LayersModel, { embedding }: ModelSource): SessionDeps["embed"] {
  const layer = from.layers.find(({ name }) => name === embedding?.node);
  if (!layer) return undefined;
  // The new model shares the layers and their weights.
  const part = model({ inputs: from.inputs, outputs: layer.output });
  return async (feeds) => tidy(() => clone(part.predict(inOrder(from, feeds)) as Tensor));
}
