// Starts tfjs's wasm backend with a given number of threads, on a binary that was checked before.
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import {
  copyRegisteredKernels,
  env,
  findBackendFactory,
  getKernelsForBackend,
  registerBackend,
} from "@tensorflow/tfjs-core";
import { isIos } from "../../../shared/is-ios.js";
import type { BackendReport } from "../../../shared/types/model.js";
import { makeObservable } from "../plan/wasm-backend.js";
import { type BinaryCache, type WasmBinary, wasmBinary } from "./wasm-binary.js";
import { guardMemory, listenToWarnings } from "./wasm-memory.js";

export interface WasmAssets {
  /** Absolute URL of a binary. */
  url(name: WasmBinary): string;
  cache: BinaryCache;
}

// The shortest valid module: magic number and version 1.
const EMPTY_MODULE = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
const NO_THREADS = "one thread: the page is not cross-origin isolated (headers COOP and COEP)";
const NO_BLOBS = "one thread: the Content-Security-Policy's worker-src lacks blob:, from which tfjs starts its threads";
// Measured with Firefox 153: the start of eight nested workers blocks the worker forever in half of the tries after another page had some.
const FIREFOX = "one thread: Firefox may never start tfjs's threads";
const NOT_SHARED = "one thread: this browser shares no memory with workers that a worker starts (WebKit)";

/** Reports as threads the number of cores where the page may share memory and start tfjs's threads; else 1. */
export async function probeWasm(): Promise<BackendReport> {
  const backend = "wasm";
  if (typeof WebAssembly === "undefined")
    return { backend, available: false, reason: "the browser has no WebAssembly" };
  try {
    new WebAssembly.Module(EMPTY_MODULE);
  } catch {
    const reason = "the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to script-src";
    return { backend, available: false, reason };
  }
  if (globalThis.crossOriginIsolated !== true) return { backend, available: true, threads: 1, reason: NO_THREADS };
  const cores = usableCores();
  if (cores === 1) return { backend, available: true, threads: 1 };
  const reason = isFirefox() ? FIREFOX : await whyNoThreads();
  return reason ? { backend, available: true, threads: 1, reason } : { backend, available: true, threads: cores };
}

// iOS ends pages that use much memory, and each thread needs some; its browsers also report more cores than a page may use.
const IOS_THREADS = 2;
// tfjs's kernels stop scaling at about 8 threads; each further one is an idle worker.
const MAX_THREADS = 16;
const cores = globalThis.navigator?.hardwareConcurrency ?? 1;

function usableCores(): number {
  return Math.max(1, Math.min(cores, isIos() ? IOS_THREADS : MAX_THREADS));
}

const TRIAL_TIMEOUT_MS = 5_000;
let trial: Promise<string | undefined> | undefined;

const isFirefox = () => navigator.userAgent.includes("Firefox/");

/** tfjs would wait forever for threads that cannot start, so one is tried first. Undefined where it started and got shared memory. */
function whyNoThreads(): Promise<string | undefined> {
  trial ??= new Promise((resolve) => {
    const url = URL.createObjectURL(new Blob(["onmessage=()=>postMessage(0)"], { type: "text/javascript" }));
    let worker: Worker | undefined;
    const end = (reason?: string) => {
      clearTimeout(timer);
      worker?.terminate();
      URL.revokeObjectURL(url);
      resolve(reason);
    };
    const timer = setTimeout(end, TRIAL_TIMEOUT_MS, NO_BLOBS);
    try {
      worker = new Worker(url);
      worker.onmessage = () => end();
      worker.onerror = (event) => {
        event.preventDefault();
        end(NO_BLOBS);
      };
    } catch {
      end(NO_BLOBS);
    }
    try {
      worker?.postMessage(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
    } catch {
      end(NOT_SHARED);
    }
  });
  return trial;
}

/** tfjs's name for the wasm backend with this number of threads; each has a memory of its own. */
export const wasmName = (threads: number) => `wasm-${threads}`;

let pathsAreSet = false;
const binaries = new Map<string, ArrayBuffer>();

/**
 * Registers the backend and gives tfjs the checked bytes: with `usePlatformFetch` tfjs calls `env().platform.fetch`, which returns them
 * from memory here. tfjs's own fetch would accept an HTML page as a binary, and after one failure refuses every later attempt.
 */
export async function registerWasm(threads: number, { url, cache }: WasmAssets): Promise<void> {
  const simd = await env().getAsync("WASM_HAS_SIMD_SUPPORT");
  const single: WasmBinary = simd ? "tfjs-backend-wasm-simd.wasm" : "tfjs-backend-wasm.wasm";
  const name: WasmBinary = threads > 1 && simd ? "tfjs-backend-wasm-threaded-simd.wasm" : single;
  const address = url(name);
  if (!binaries.has(address)) binaries.set(address, await wasmBinary(name, address, cache));
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
      const bytes = binaries.get(path);
      return bytes ? Promise.resolve(new Response(bytes)) : originalFetch(path, init);
    };
    pathsAreSet = true;
  }
  const start = findBackendFactory("wasm");
  registerBackend(wasmName(threads), async () => {
    env().set("WASM_HAS_MULTITHREAD_SUPPORT", threads > 1);
    setThreadsCount(threads);
    liftThreadCap(threads);
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
