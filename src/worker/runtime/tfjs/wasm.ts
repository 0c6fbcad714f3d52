// Starts tfjs's wasm backend with a given number of threads, on a binary that was checked before.
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import {
  copyRegisteredKernels,
  env,
  findBackendFactory,
  getKernelsForBackend,
  registerBackend,
} from "@tensorflow/tfjs-core";
import { makeObservable } from "../plan/wasm-backend.js";
import { cores } from "../probe-wasm.js";
import { binaryFor, type WasmBinaries } from "../wasm-binary.js";
import { guardMemory, listenToWarnings } from "./wasm-memory.js";

/** tfjs's name for the wasm backend with this number of threads; each has a memory of its own. */
export const wasmName = (threads: number) => `wasm-${threads}`;

let pathsAreSet = false;
const given = new Map<string, ArrayBuffer>();

/**
 * Registers the backend and gives tfjs the checked bytes: with `usePlatformFetch` tfjs calls `env().platform.fetch`, which returns them
 * from memory here. tfjs's own fetch would accept an HTML page as a binary, and after one failure refuses every later attempt.
 */
export async function registerWasm(threads: number, { url, bytes }: WasmBinaries): Promise<void> {
  const name = binaryFor(threads);
  given.set(url(name), await bytes(name));
  if (!pathsAreSet) {
    setWasmPaths(
      {
        "tfjs-backend-wasm.wasm": url("tfjs-backend-wasm.wasm"),
        "tfjs-backend-wasm-simd.wasm": url("tfjs-backend-wasm-simd.wasm"),
        "tfjs-backend-wasm-threaded-simd.wasm": url("tfjs-backend-wasm-threaded-simd.wasm"),
      },
      true,
    );
    const { platform } = env();
    const originalFetch = platform.fetch.bind(platform);
    platform.fetch = (path, init) => {
      const binary = given.get(path);
      return binary ? Promise.resolve(new Response(binary)) : originalFetch(path, init);
    };
    pathsAreSet = true;
  }
  const start = findBackendFactory("wasm");
  registerBackend(wasmName(threads), async () => {
    env().set("WASM_HAS_MULTITHREAD_SUPPORT", threads > 1);
    setThreadsCount(threads);
    if (threads > 1) liftThreadCap(threads);
    listenToWarnings();
    const backend = await start();
    guardMemory(backend);
    makeObservable(backend);
    return backend;
  });
  // tfjs never forgets the kernels of a backend that was removed.
  if (getKernelsForBackend(wasmName(threads)).length === 0) copyRegisteredKernels("wasm", wasmName(threads));
}

/**
 * tfjs's wasm backend uses at most half of `navigator.hardwareConcurrency` as threads, which it reads when it starts: on two cores it
 * would run on one. The number that is passed to tfjs is the one that was measured.
 */
function liftThreadCap(threads: number): void {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: Math.max(cores, 2 * threads), configurable: true });
}
