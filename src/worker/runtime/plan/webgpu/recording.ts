// What a plan on WebGPU consists of: shaders with the tensors that they read and write.
import type { DType, TypedArray } from "../../../../shared/types/tensor.js";

/** One dispatch. Tensors are named by their ids. */
export interface GpuStep {
  pipeline: GPUComputePipeline;
  workgroups: [x: number, y: number, z: number];
  /** In the order of the bindings: the output, then the inputs. The uniforms are the last binding. */
  tensors: number[];
  uniforms: Uint8Array<ArrayBuffer>;
}

/** A tensor whose memory is the model's or the plan's own, or which is a constant. */
export interface GpuTensor {
  id: number;
  bytes: number;
  /** The step from which on it needs memory, and the one at which it needs none any more. */
  born: number;
  dies: number;
  /** Set on a weight: the model's buffer. */
  buffer?: GPUBuffer;
  /** Set on a constant that was made during the run: its content. */
  data?: Uint8Array<ArrayBuffer>;
}

export interface GpuInput {
  name: string;
  id: number;
}

/** Either in a buffer, or the same for all inputs. */
export type GpuOutput = { shape: number[]; dtype: DType } & (
  | { id: number /** Of the bytes: tfjs casts to a wider dtype by its name alone. */; stored: DType; data?: undefined }
  | { data: TypedArray }
);

export interface GpuRecording {
  steps: GpuStep[];
  tensors: GpuTensor[];
  inputs: GpuInput[];
  outputs: GpuOutput[];
}
