// Starts and stops tfjs's backends: one instance a target, each only after what tfjs would stumble over has been checked.
import "@tensorflow/tfjs-backend-cpu";
import { findBackend, findBackendFactory, getBackend, removeBackend, setBackend } from "@tensorflow/tfjs-core";
import { InsituError, isInsituError } from "../../../shared/errors.js";
import type { BackendReport } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { Target } from "../session/engine.js";
import { probeWasm, registerWasm, type WasmAssets, wasmName } from "./wasm.js";
import { deviceLost, type Gpu, probeWebGPU, registerWebGPU } from "./webgpu.js";

/** A backend of tfjs that runs. */
export interface Running {
  /** Makes it the one that the next operation uses. Throws `device_lost` once it is dead. */
  use(): Promise<void>;
  /** Rejects when the device is lost; undefined where there is none to lose. */
  whenLost?: Promise<never>;
  /** Keeps the backend from being stopped, until the answer is called. */
  hold(): () => void;
}

export interface Backends {
  start(target: Target): Promise<Running>;
  /** Does nothing while somebody holds the backend. */
  stop(target: Target): void;
  /** Bytes of all WebAssembly memories. */
  heldBytes(): number;
}

// Compiling 430 kB of WebAssembly and starting threads takes 0.1 s here; tfjs never answers when either fails.
const START_MS = 30_000;

/** Says whether a backend could run here; asks the browser, never tfjs. */
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

export function createBackends(assets: WasmAssets): Backends {
  const running = new Map<string, { gpu?: Gpu; holders: number }>();

  const register = async ({ backend, threads = 1 }: Target): Promise<{ gpu?: Gpu }> => {
    switch (backend) {
      case "cpu":
        // Registered by tfjs at import.
        return {};
      case "wasm":
        await registerWasm(threads, assets);
        return {};
      case "webgpu":
        return { gpu: await registerWebGPU() };
      default:
        return backend satisfies never;
    }
  };

  const use = async (target: Target): Promise<void> => {
    // tfjs binds all kernels anew at each call, which costs more than a small model.
    if (getBackend() === nameOf(target)) return;
    // It answers false when the start fails, and throws for unknown names only.
    if (!(await withinDeadline(setBackend(nameOf(target))))) throw new Error("tfjs could not start it");
  };

  const remove = (target: Target): void => {
    const name = nameOf(target);
    running.delete(name);
    // cpu holds nothing but its tensors. The others may be registered without running: by tfjs, or by a start that failed.
    if (target.backend !== "cpu" && findBackendFactory(name)) removeBackend(name);
  };

  return {
    heldBytes: () =>
      [...running.keys()].reduce((sum, name) => {
        const { wasm } = findBackend(name) as { wasm?: { HEAPU8?: Uint8Array } };
        return sum + (wasm?.HEAPU8?.buffer.byteLength ?? 0);
      }, 0),
    stop(target) {
      if (running.get(nameOf(target))?.holders === 0) remove(target);
    },
    async start(target) {
      const name = nameOf(target);
      try {
        // tfjs never restores a lost device.
        if (!running.has(name) || running.get(name)?.gpu?.lost) {
          remove(target);
          const started = await register(target);
          await use(target);
          running.set(name, { ...started, holders: 0 });
        }
        await use(target);
      } catch (error) {
        throw unavailable(target, error);
      }
      const mine = running.get(name);
      const gpu = mine?.gpu;
      return {
        whenLost: gpu?.whenLost,
        hold() {
          if (mine) mine.holders += 1;
          let held = true;
          return () => {
            if (mine && held) mine.holders -= 1;
            held = false;
          };
        },
        async use() {
          if (gpu?.lost) throw deviceLost(gpu.lost);
          await use(target);
        },
      };
    },
  };
}

/** tfjs's name for the target. */
const nameOf = ({ backend, threads = 1 }: Target) => (backend === "wasm" ? wasmName(threads) : backend);

async function withinDeadline<T>(started: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not start within ${START_MS / 1000} s`)), START_MS);
  });
  try {
    return await Promise.race([started, late]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable({ backend, threads }: Target, cause: unknown): InsituError {
  if (isInsituError(cause)) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  const message = `The backend ${backend} did not start: ${detail}.`;
  return new InsituError("backend_unavailable", message, { backend, threads }, { cause });
}
