// Converts an image to a tensor on tfjs's GPU device, without the CPU.
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { backend, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { DType } from "../../../shared/types/tensor.js";
import { canDraw, drawImage } from "../draw-image.js";
import type { PlacedImage } from "../image.js";

export interface OnGpu {
  tensor: Tensor;
  /** Frees the tensor's buffer. Call it once nothing reads the tensor any more. */
  free(): void;
}

/** Requires that tfjs's WebGPU backend is the current one. Undefined where the GPU cannot convert the image, so that the CPU must. */
export async function toGpu(placed: PlacedImage, shape: number[], dtype: DType): Promise<OnGpu | undefined> {
  if (!canDraw(placed, shape, dtype)) return undefined;
  const { device } = backend() as WebGPUBackend;
  const [, rows = 0, columns = 0, channels = 0] = shape;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const buffer = device.createBuffer({ size: rows * columns * channels * 4, usage });
  const free = () => buffer.destroy();
  if (await drawImage(device, placed, shape, dtype, buffer)) {
    const made = tensor({ buffer, zeroCopy: true }, shape as [number, number, number, number], "float32");
    return { tensor: made, free };
  }
  free();
  return undefined;
}
