// Opens a layers model on tfjs, and selects its outputs by the names that the package gives them.
import { clone, type io, type NamedTensorMap, type Tensor, tidy } from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel, model, type Shape, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { InsituError } from "../../../shared/errors.js";
import { layerOutputNames } from "../../package/layer-outputs.js";
import type { ModelJson } from "../../package/topology.js";
import { checkOutputSize } from "../graph/output-sizes.js";
import type { ModelSource, Session, Target } from "../session/engine.js";
import type { RunningBackend } from "./backends.js";
import { createSession, type SessionDeps } from "./session.js";

export async function openLayers(source: ModelSource, target: Target, running: RunningBackend): Promise<Session> {
  const opened = await loadLayers(source.model, source.weights(), running.use);
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

/**
 * tfjs loads a layers model only from all of its bytes, not from tensors. Such models are usually small.
 * @param use - Called once the bytes are here: another backend may have been used meanwhile.
 */
export async function loadLayers(
  { json, weightSpecs }: Pick<ModelJson, "json" | "weightSpecs">,
  chunks: AsyncIterable<ArrayBuffer>,
  use?: () => Promise<void>,
): Promise<LayersModel> {
  const weightData: ArrayBuffer[] = [];
  for await (const chunk of chunks) weightData.push(chunk.slice(0));
  await use?.();
  // Without the optimizer's settings: nothing trains this model, and tfjs refuses settings that it does not know.
  const artifacts = { ...json, trainingConfig: undefined, weightSpecs, weightData };
  return loadLayersModel({ load: async () => artifacts as io.ModelArtifacts });
}

/** The names of the model's outputs in a package. A sequential model has no `outputNames` before its first run. */
export function outputNamesOf({ outputs, layers }: LayersModel): string[] {
  return layerOutputNames(
    outputs.map(({ sourceLayer }) => sourceLayer.name),
    layers.map(({ name }) => name),
  );
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
  const own = outputNamesOf(from);
  const names = outputs.map(({ name }) => name);
  if (names.join() === own.join()) return from;
  const selected = names.map((name) => {
    const layer = from.layers.find((candidate) => candidate.name === name);
    // Of a layer that is used several times, the first use.
    const found = from.outputs[own.indexOf(name)] ?? [layer?.getOutputAt(0)].flat()[0];
    if (found) return found as SymbolicTensor;
    const message = `The model has no output or layer named ${name}; its outputs are ${own.join(", ")}. Correct the manifest's outputs and pack the model again.`;
    throw new InsituError("model_format", message, { output: name, outputs: own });
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
