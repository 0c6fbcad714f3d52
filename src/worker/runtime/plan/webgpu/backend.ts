// The parts of tfjs's WebGPU backend that plans use (4.22).
import type { DType, TypedArray } from "../../../../shared/types/tensor.js";

/** The object by which tfjs knows a tensor's data. */
export type DataId = object;

export interface TensorInfo {
  dataId: DataId;
  shape: number[];
  dtype: string;
}

export interface TensorRecord {
  /** Null until a kernel needs the tensor on the GPU. */
  resource: GPUBuffer | GPUTexture | GPUExternalTexture | null | undefined;
  /** Set while the tensor's content is on the CPU, and for those that were read back. */
  values: TypedArray | string[] | null | undefined;
  shape: number[];
  dtype: string;
}

/** A shader and how often it runs, as tfjs's kernels describe it. */
export interface Program {
  pipeline: GPUComputePipeline;
  dispatch: [x: number, y: number, z: number];
}

export interface GpuBackend {
  readonly device: GPUDevice;
  readonly tensorMap: {
    get(data: DataId): TensorRecord;
    has(data: DataId): boolean;
  };
  /** Makes a tensor. */
  write(values: TypedArray | null, shape: number[], dtype: string): DataId;
  move(data: DataId, ...rest: unknown[]): void;
  /** Gives a tensor its buffer, if it has none yet. */
  uploadToGPU(data: DataId): void;
  /** Every kernel's work ends here: tfjs fills the uniforms by `queue.writeBuffer`, and adds the shader to its open pass. */
  recordAndSubmit(program: Program, output: TensorInfo, inputs: TensorInfo[], uniforms?: unknown): void;
  createTensorFromGPUData(...args: unknown[]): unknown;
  readSync(data: DataId): unknown;
  read(data: DataId): Promise<unknown>;
  disposeData(data: DataId, force?: boolean): boolean;
}

/** Numbers and booleans take four bytes on the GPU. */
export function toGpuArray(
  values: ArrayLike<number>,
  dtype: string,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  return dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
}

/** The reverse: bytes of the GPU in the array of the dtype. */
export function fromGpuBytes(bytes: ArrayBuffer, dtype: DType): TypedArray {
  if (dtype === "float32") return new Float32Array(bytes);
  const integers = new Int32Array(bytes);
  return dtype === "int32" ? integers : Uint8Array.from(integers);
}
