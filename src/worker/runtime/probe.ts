// Says whether a backend could run here.
import type { BackendReport } from "../../shared/types/model.js";
import type { Backend } from "../../shared/types/tensor.js";
import { probeWasm } from "./probe-wasm.js";
import { probeWebGPU } from "./probe-webgpu.js";

/** Asks the browser, never tfjs. Starts nothing that stays. Never throws. */
export async function probe(backend: Backend): Promise<BackendReport> {
  switch (backend) {
    case "cpu":
      return { backend, available: true };
    case "wasm":
      return probeWasm();
    case "webgpu":
      return probeWebGPU();
    default:
      return backend satisfies never;
  }
}
