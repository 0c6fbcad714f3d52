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
import { type LayersModel, loadLayersModel, model } from "@tensorflow/tfjs-layers";
import type { Backend } from "../../../shared/types/tensor.js";
import type { Engine, ModelSource, Session, Target } from "../session/engine.js";
import { Backends, probe, type RunningBackend } from "./backends.js";
import { openGraph } from "./graph-model.js";
import { missingOps } from "./missing-kernels.js";
import { createSession, guardedRun, type SessionDeps } from "./session.js";
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
      return open(source, target, running);
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
  const execute = async (feeds: NamedTensorMap): Promise<Tensor[]> =>
    tidy(() => {
      const result = opened.predict(source.inputs.map((input) => feeds[input.name] as Tensor));
      // A model without trained layers may return its input.
      return (Array.isArray(result) ? result : [result]).map(clone);
    });
  return createSession({
    source,
    target,
    running,
    execute,
    embed: layersEmbed(opened, source),
    free: () => opened.dispose(),
  });
}

function layersEmbed(from: LayersModel, { inputs, embedding }: ModelSource): SessionDeps["embed"] {
  const layer = from.layers.find(({ name }) => name === embedding?.node);
  if (!layer) return undefined;
  // The new model shares the layers and their weights.
  const part = model({ inputs: from.inputs, outputs: layer.output });
  return async (feeds) => tidy(() => clone(part.predict(inputs.map(({ name }) => feeds[name] as Tensor)) as Tensor));
}
