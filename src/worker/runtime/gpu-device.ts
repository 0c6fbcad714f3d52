// Opens a WebGPU device whose loss and failures can be observed.
import { InsituError } from "../../shared/errors.js";
import { requestAdapter } from "./probe-webgpu.js";

export interface Gpu {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** Differs where tfjs may write other shaders, or divide the work otherwise. */
  readonly identity: string;
  /** The reason, once the device is lost. A lost device never works again. */
  lost?: string;
  /** The first error of a command since it was last taken: the device goes on without it, with wrong outputs. */
  error?: GPUError;
  /** Rejects with `device_lost` as soon as the device is lost. */
  readonly whenLost: Promise<never>;
}

const FEATURES: GPUFeatureName[] = ["timestamp-query", "bgra8unorm-storage"];
/** Those that tfjs's kernels are written for; WebGPU grants the defaults only unless asked. */
const LIMITS = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
] as const satisfies (keyof GPUSupportedLimits)[];

/** Throws where there is no adapter, or no device. */
export async function openGpu(): Promise<Gpu> {
  const adapter = await requestAdapter();
  if (!adapter) throw new Error("no adapter");
  const { features, limits, info } = adapter;
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, limits[name]]));
  const requiredFeatures = FEATURES.filter((feature) => features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  const { vendor, architecture, device: name, description } = info;
  // All features: which of them a later tfjs looks at is not for this file to know.
  const identity = JSON.stringify([vendor, architecture, name, description, [...features].sort(), requiredLimits]);
  const gpu: Gpu = {
    device,
    info,
    identity,
    whenLost: device.lost.then(({ reason, message }) => {
      gpu.lost = message || reason;
      throw deviceLost(gpu.lost);
    }),
  };
  device.addEventListener("uncapturederror", ({ error }) => {
    gpu.error ??= error;
  });
  // No unhandled rejection while nothing awaits it.
  gpu.whenLost.catch(() => undefined);
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

// A read-back fails at once; the device's `lost` promise settles some milliseconds later.
const LOSS_NOTICE_MS = 500;

/** To be called after a failure, which on a lost device has misleading messages. Rejects with `device_lost` where that is the cause. */
export async function throwIfLost(whenLost: Promise<never>): Promise<void> {
  await Promise.race([whenLost, new Promise((resolve) => setTimeout(resolve, LOSS_NOTICE_MS))]);
}
