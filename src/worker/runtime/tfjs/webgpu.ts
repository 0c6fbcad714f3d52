// Starts tfjs's WebGPU backend on a device of ours.
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { registerBackend } from "@tensorflow/tfjs-core";
import { type Gpu, openGpu } from "../gpu-device.js";
import { keepShaders } from "../plan/webgpu/shader-texts.js";

/**
 * Registers tfjs's WebGPU backend on a new device. tfjs's own factory reads `adapter.features` of a null adapter (tfjs#8094), and has no
 * handler for the loss of the device that it creates.
 */
export async function registerWebGPU(): Promise<Gpu> {
  const gpu = await openGpu();
  keepShaders(gpu.device);
  registerBackend("webgpu", () => new WebGPUBackend(gpu.device, gpu.info), 3);
  return gpu;
}
