// The engine that runs models on TensorFlow.js: model bytes in, plain data out; tensors stay inside.
import { engine, getKernelsForBackend } from "@tensorflow/tfjs-core";
import type { Backend } from "../../../shared/types/tensor.js";
import { planBytes } from "../plan/plan.js";
import { probe } from "../probe.js";
import type { Engine } from "../session/engine.js";
import { toInsituError } from "../session/run-errors.js";
import type { WasmBinaries } from "../wasm-binary.js";
import { Backends } from "./backends.js";
import { openGraph } from "./graph-model.js";
import { openLayers } from "./layers-model.js";
import { missingOps } from "./missing-kernels.js";
import { guardedRun } from "./session.js";

export function tfjsEngine(binaries: WasmBinaries): Engine {
  const backends = new Backends(binaries);
  return {
    probe,
    // Not `memory()`, which starts a backend where none runs.
    memory: () => ({ held: backends.heldBytes(), used: state().numBytes + planBytes() }),
    tensorCount: () => state().numTensors,
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
      const { backend } = target;
      const missing = missingOps(source.model, kernelsOf(backend), kernelsOf("cpu"));
      if (missing.length > 0) throw new Error(`${backend} has no kernel for ${missing.join(", ")}`);
      const running = await backends.start(target);
      // Others may use the engine while weights are on their way, and stop what nobody holds.
      const release = running.hold();
      const open = source.model.format === "tfjs-graph-model" ? openGraph : openLayers;
      try {
        return await open(source, target, running);
      } catch (error) {
        const known = toInsituError(error, target);
        throw known.code === "unknown" ? error : known;
      } finally {
        release();
      }
    },
  };
}

const state = () => engine().state;
const kernelsOf = (backend: Backend) => new Set(getKernelsForBackend(backend).map(({ kernelName }) => kernelName));
