// Probes and starts tfjs's backends, each only after everything that tfjs would stumble over has been checked.
import { env, registerBackend, removeBackend, setBackend } from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { InsituError } from "../errors.js";
import type { Backend, BackendReport } from "../types.js";
import { type BinaryCache, type WasmBinary, wasmBinary } from "./wasm-binary.js";

export interface WasmAssets {
  /** Absolute URL of a binary. */
  url(name: WasmBinary): string;
  cache: BinaryCache;
}

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

/** Makes `backend` the one that the next operation uses; the first time it is started. */
export async function start(backend: Backend, assets: WasmAssets): Promise<void> {
  if (backend === "wasm") await prepareWasm(assets);
  if (backend === "webgpu") await prepareWebGPU();
  // setBackend answers false when the start fails; it throws for unknown names only.
  const started = await setBackend(backend).catch((error: unknown) => {
    throw unavailable(backend, error);
  });
  if (!started) throw unavailable(backend, new Error("tfjs could not start it"));
}

function unavailable(backend: Backend, cause: unknown): InsituError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new InsituError(
    "backend_unavailable",
    `The backend ${backend} did not start: ${detail}.`,
    { backend },
    { cause },
  );
}

// ---- wasm --------------------------------------------------------------------------------------------------------

let wasmPrepared = false;

// (module): the shortest valid module, magic number and version 1.
const EMPTY_MODULE = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

function probeWasm(): BackendReport {
  if (typeof WebAssembly === "undefined")
    return { backend: "wasm", available: false, reason: "the browser has no WebAssembly" };
  try {
    new WebAssembly.Module(EMPTY_MODULE);
    return { backend: "wasm", available: true };
  } catch {
    const reason = "the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to script-src";
    return { backend: "wasm", available: false, reason };
  }
}

/**
 * Hands tfjs the checked bytes: with `usePlatformFetch` it asks `env().platform.fetch`, which answers from memory here. tfjs
 * itself would take an HTML page for a binary, and refuse every later attempt after one that failed.
 */
async function prepareWasm({ url, cache }: WasmAssets): Promise<void> {
  if (wasmPrepared) return;
  // Threads need a measured number of them (one too many is 3 to 5 times slower), so until that is measured: one, with SIMD.
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  const simd = await env().getAsync("WASM_HAS_SIMD_SUPPORT");
  const name: WasmBinary = simd ? "tfjs-backend-wasm-simd.wasm" : "tfjs-backend-wasm.wasm";
  const bytes = await wasmBinary(name, url(name), cache);
  setWasmPaths(
    {
      "tfjs-backend-wasm.wasm": url("tfjs-backend-wasm.wasm"),
      "tfjs-backend-wasm-simd.wasm": url("tfjs-backend-wasm-simd.wasm"),
      "tfjs-backend-wasm-threaded-simd.wasm": url("tfjs-backend-wasm-threaded-simd.wasm"),
    },
    true,
  );
  const platform = env().platform;
  const fetchAsBefore = platform.fetch.bind(platform);
  platform.fetch = (path, init) =>
    path === url(name) ? Promise.resolve(new Response(bytes)) : fetchAsBefore(path, init);
  wasmPrepared = true;
}

// ---- webgpu ------------------------------------------------------------------------------------------------------

let device: GPUDevice | undefined;

async function requestAdapter(): Promise<GPUAdapter | null> {
  return (await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? null;
}

async function probeWebGPU(): Promise<BackendReport> {
  const refuse = (reason: string): BackendReport => ({ backend: "webgpu", available: false, reason });
  if (!navigator.gpu) return refuse("the browser has no WebGPU");
  try {
    const adapter = await requestAdapter();
    if (!adapter) return refuse("the browser has WebGPU, but no adapter for it");
    const { isFallbackAdapter, vendor, architecture } = adapter.info;
    if (!isFallbackAdapter) return { backend: "webgpu", available: true };
    return { backend: "webgpu", available: true, software: true, reason: `software adapter ${vendor} ${architecture}` };
  } catch (error) {
    // Firefox may throw here instead of answering null (mdn/content#42647).
    return refuse(`asking for an adapter failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Registers tfjs's WebGPU backend on a device that is ours. tfjs's own factory reads `adapter.features` of a null adapter
 * (tfjs#8094), and a device that it made could not be watched.
 */
async function prepareWebGPU(): Promise<void> {
  if (device) return;
  const adapter = await requestAdapter();
  if (!adapter) throw unavailable("webgpu", new Error("no adapter"));
  const wanted: GPUFeatureName[] = ["timestamp-query", "bgra8unorm-storage"];
  const { limits } = adapter;
  device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    // The limits that tfjs's kernels are written for; WebGPU grants the defaults only unless asked.
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
  const ours = device;
  // A lost device is never restored by tfjs: forget it, so that the next model starts on a new one.
  void ours.lost.then(() => {
    if (device === ours) device = undefined;
  });
  removeBackend("webgpu");
  registerBackend("webgpu", () => new WebGPUBackend(ours, adapter.info), 3);
}
