// Opens a model in Node on tfjs's plain JavaScript backend, whose outputs are the reference for all other backends.
import { enableProdMode } from "@tensorflow/tfjs-core";
import type { LayersModel, SymbolicTensor } from "@tensorflow/tfjs-layers";
import { asInsituError } from "../shared/errors.js";
import type { DType } from "../shared/types/tensor.js";
import type { ModelJson } from "../worker/package/topology.js";
import type { ModelSource, Session } from "../worker/runtime/session/engine.js";
import { tfjsEngine } from "../worker/runtime/tfjs/engine.js";
import { loadLayers, outputNamesOf } from "../worker/runtime/tfjs/layers-model.js";
import type { WasmBinaries } from "../worker/runtime/wasm-binary.js";
import { type Guess, type Guesses, guessesOf } from "./guess.js";

/**
 * Uses the same engine as a page, so that the recorded outputs equal those of the cpu backend there. Import this file only where a
 * model is run, since it loads all of tfjs. Throws `backend_unavailable` if tfjs cannot run the model.
 */
export async function openReference(source: ModelSource): Promise<Session> {
  try {
    return await createEngine().open(source, { backend: "cpu" });
  } catch (error) {
    throw asInsituError(error, "backend_unavailable", "tfjs cannot open the model on its cpu backend");
  }
}

/** On wasm with one thread, where runs can be recorded. Throws what tfjs throws if it cannot run the model there. */
export function openOnWasm(source: ModelSource, binaries: WasmBinaries): Promise<Session> {
  return createEngine(binaries).open(source, { backend: "wasm", threads: 1 });
}

/** The inputs and outputs of a layers model, with the shapes that tfjs computes from layer to layer. Rejects with tfjs's own error if it cannot load the model. */
export async function describeLayers(
  model: Pick<ModelJson, "json" | "weightSpecs">,
  weights: AsyncIterable<ArrayBuffer>,
): Promise<Guesses> {
  const lease = await createEngine().lease({ backend: "cpu" });
  try {
    // Not in the lease's own step, which would hide what tfjs says.
    const opened = await loadLayers(model, weights);
    const described = guessesOf(
      tensorsOf(
        opened.inputs,
        opened.inputs.map(({ sourceLayer }) => sourceLayer.name),
      ),
      tensorsOf(opened.outputs, outputNamesOf(opened)),
    );
    opened.dispose();
    return described;
  } finally {
    lease.end();
  }
}

/** cpu needs no binary. */
const NO_BINARIES: WasmBinaries = {
  url: (name) => name,
  bytes: async (name) => {
    throw new Error(`${name} is not wanted here`);
  },
};

function createEngine(binaries = NO_BINARIES) {
  // Otherwise tfjs prints an advertisement for its Node package.
  enableProdMode();
  return tfjsEngine(binaries);
}

function tensorsOf(tensors: LayersModel["inputs"], names: string[]): Guess[] {
  return (tensors as SymbolicTensor[]).map(({ dtype, shape }, index) => ({
    name: names[index] as string,
    dtype: dtype === "int32" || dtype === "bool" ? (dtype satisfies DType) : "float32",
    shape: shape.map((size) => size ?? -1),
  }));
}
