// Starts and stops tfjs's backends: one instance for each target, with checks for what tfjs would hang or crash on.
import "@tensorflow/tfjs-backend-cpu";
import { findBackend, findBackendFactory, getBackend, removeBackend, setBackend } from "@tensorflow/tfjs-core";
import { InsituError, isInsituError } from "../../../shared/errors.js";
import { withDeadline } from "../../../shared/with-deadline.js";
import { deviceLost, type Gpu, takeGpuFailure } from "../gpu-device.js";
import type { Target } from "../session/engine.js";
import type { WasmBinaries } from "../wasm-binary.js";
import { registerWasm, wasmName } from "./wasm.js";
import { takeWasmFailure } from "./wasm-memory.js";
import { registerWebGPU } from "./webgpu.js";

/** A tfjs backend that has been started. */
export interface RunningBackend {
  /** Makes it the backend of the next operation. Throws `device_lost` once its device is lost. */
  use(): Promise<void>;
  /** What failed without an error since the last call: outputs that were computed meanwhile are wrong. */
  takeFailure(): string | undefined;
  /** Its device; undefined where it has none. */
  gpu?: Gpu;
  /** Prevents the backend from being stopped, until the returned function is called. */
  hold(): () => void;
}

// Compiling 430 kB of WebAssembly and starting threads takes 0.1 s here. When either fails, tfjs's promise never settles.
const START_TIMEOUT_MS = 30_000;

interface Entry {
  gpu?: Gpu;
  holders: number;
}

export class Backends {
  readonly #binaries: WasmBinaries;
  readonly #running = new Map<string, Entry>();

  constructor(binaries: WasmBinaries) {
    this.#binaries = binaries;
  }

  /** Starts the target if it does not run, or if its device is lost. */
  async start(target: Target): Promise<RunningBackend> {
    const name = nameOf(target);
    try {
      // tfjs never restores a lost device.
      if (!this.#running.has(name) || this.#running.get(name)?.gpu?.lost) {
        this.#remove(target);
        const gpu = await this.#register(target);
        await use(target);
        this.#running.set(name, { gpu, holders: 0 });
      }
      await use(target);
    } catch (error) {
      throw unavailable(target, error);
    }
    return runningBackend(target, this.#running.get(name) ?? { holders: 0 });
  }

  /** Does nothing while the backend is held. */
  stop(target: Target): void {
    if (this.#running.get(nameOf(target))?.holders === 0) this.#remove(target);
  }

  /** Bytes of all WebAssembly memories. */
  heldBytes(): number {
    return [...this.#running.keys()].reduce((sum, name) => {
      const { wasm } = findBackend(name) as { wasm?: { HEAPU8?: Uint8Array } };
      return sum + (wasm?.HEAPU8?.buffer.byteLength ?? 0);
    }, 0);
  }

  async #register({ backend, threads = 1 }: Target): Promise<Gpu | undefined> {
    switch (backend) {
      case "cpu":
        // tfjs registers it at import.
        return undefined;
      case "wasm":
        await registerWasm(threads, this.#binaries);
        return undefined;
      case "webgpu":
        return registerWebGPU();
      default:
        return backend satisfies never;
    }
  }

  #remove(target: Target): void {
    const name = nameOf(target);
    this.#running.delete(name);
    // cpu holds only its tensors. The others may be registered without running: by tfjs, or by a start that failed.
    if (target.backend !== "cpu" && findBackendFactory(name)) removeBackend(name);
  }
}

function runningBackend(target: Target, entry: Entry): RunningBackend {
  const { gpu } = entry;
  return {
    takeFailure: () => (gpu ? takeGpuFailure(gpu) : takeWasmFailure()),
    gpu,
    hold() {
      entry.holders += 1;
      let isHeld = true;
      return () => {
        if (isHeld) entry.holders -= 1;
        isHeld = false;
      };
    },
    async use() {
      if (gpu?.lost) throw deviceLost(gpu.lost);
      await use(target);
    },
  };
}

async function use(target: Target): Promise<void> {
  const name = nameOf(target);
  // `setBackend` binds all kernels again at each call, which takes longer than a run of a small model.
  if (getBackend() === name) return;
  const late = () => new Error(`it did not start within ${START_TIMEOUT_MS / 1000} s`);
  // It resolves to false when the start fails, and rejects for unknown names only.
  if (!(await withDeadline(setBackend(name), START_TIMEOUT_MS, late))) throw new Error("tfjs could not start it");
}

/** tfjs's name for the target. */
const nameOf = ({ backend, threads = 1 }: Target) => (backend === "wasm" ? wasmName(threads) : backend);

function unavailable({ backend, threads }: Target, cause: unknown): InsituError {
  if (isInsituError(cause)) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  const message = `The backend ${backend} did not start: ${detail}.`;
  return new InsituError("backend_unavailable", message, { backend, threads }, { cause });
}
