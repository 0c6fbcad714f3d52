// Finds out whether WebGPU can run here; asks the browser, never tfjs.
import type { BackendReport } from "../../shared/types/model.js";

export async function requestAdapter(): Promise<GPUAdapter | null> {
  return (await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? null;
}

export async function probeWebGPU(): Promise<BackendReport> {
  const refuse = (reason: string): BackendReport => ({ backend: "webgpu", available: false, reason });
  if (!navigator.gpu) return refuse("the browser has no WebGPU");
  try {
    const adapter = await requestAdapter();
    if (!adapter) return refuse("the browser has WebGPU, but no adapter for it");
    const { isFallbackAdapter, vendor, architecture, device } = adapter.info;
    const name = [vendor, architecture, device].filter(Boolean).join(" ");
    if (!isFallbackAdapter) return { backend: "webgpu", available: true, adapter: name };
    const reason = `software adapter ${vendor} ${architecture}`;
    return { backend: "webgpu", available: true, software: true, adapter: name, reason };
  } catch (error) {
    // Firefox may throw here instead of returning null (mdn/content#42647).
    return refuse(`asking for an adapter failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
