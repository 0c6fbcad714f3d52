// Starts tfjs's WebGPU backend on a device that is created here, so that its loss can be observed.
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { registerBackend } from "@tensorflow/tfjs-core";
import { InsituError } from "../../../shared/errors.js";
import { requestAdapter } from "../probe-webgpu.js";

export interface Gpu {
  /** The reason, once the device is lost. A lost device never works again. */
  lost?: string;
  /** The first error of a command since it was last taken: the device goes on without it, with wrong outputs. */
  error?: GPUError;
  /** Rejects with `device_lost` as soon as the device is lost. */
  whenLost: Promise<never>;
}

/**
 * Registers tfjs's WebGPU backend on a new device. tfjs's own factory reads `adapter.features` of a null adapter (tfjs#8094), and has no
 * handler for the loss of the device that it creates.
 */
export async function registerWebGPU(): Promise<Gpu> {
  const adapter = await requestAdapter();
  if (!adapter) throw new Error("no adapter");
  const features: GPUFeatureName[] = ["timestamp-query", "bgra8unorm-storage"];
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
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
  const gpu = {} as Gpu;
  gpu.whenLost = device.lost.then(({ reason, message }) => {
    gpu.lost = message || reason;
    throw deviceLost(gpu.lost);
  });
  device.addEventListener("uncapturederror", ({ error }) => {
    gpu.error ??= error;
  });
  // No unhandled rejection while nothing awaits it.
  gpu.whenLost.catch(() => undefined);
  registerBackend("webgpu", () => new WebGPUBackend(device, adapter.info), 3);
  return gpu;
}

/** What failed since the last call, for messages. */
export function takeGpuFailure(gpu: Gpu): string | undefined {
  const { error } = gpu;
  gpu.error = undefined;
  return error && `${error instanceof GPUOutOfMemoryError ? "out of memory" : "a command failed"}: ${error.message}`;
}

export function deviceLost(why: string): InsituError {
  return new InsituError("device_lost", `The GPU device was lost: ${why}. Predict again.`, { reason: why });
}
