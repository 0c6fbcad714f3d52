// The form in which a plan on WebGPU outlives its recording: shaders are their text, weights their names, tensors positions.
import type { DType, TypedArray } from "../../../../shared/types/tensor.js";
import { NoPlanError, type Part } from "../steps.js";
import type { GpuOutput, GpuRecording, GpuTensor } from "./recording.js";
import { shaderText } from "./shader-texts.js";

export interface StoredGpuStep {
  /** WGSL, whose entry point is tfjs's. The pipeline's layout is the one that WebGPU derives from it. */
  shader: string;
  workgroups: [x: number, y: number, z: number];
  /** In the order of the bindings: the output, then the inputs. The uniforms are the last binding. */
  tensors: number[];
  uniforms: Uint8Array<ArrayBuffer>;
}

export interface StoredGpuTensor {
  bytes: number;
  born: number;
  dies: number;
  /** Set on a weight: its name in the rewritten graph. */
  weight?: string;
  /** Set on a constant: its content. */
  data?: Uint8Array<ArrayBuffer>;
}

export type StoredGpuOutput = { shape: number[]; dtype: DType } & (
  | { tensor: number; stored: DType; data?: undefined }
  | { data: TypedArray }
);

export interface StoredGpuPlan {
  part: Part;
  /** What the inputs must be; see `keyOfFeeds`. */
  key: string;
  inputs: { name: string; tensor: number }[];
  outputs: StoredGpuOutput[];
  tensors: StoredGpuTensor[];
  steps: StoredGpuStep[];
}

/** Undefined where a shader's text is not known, or a buffer is none of the weights. */
export function toStoredGpu(
  part: Part,
  key: string,
  { inputs, outputs, tensors, steps }: GpuRecording,
  weights: ReadonlyMap<GPUBuffer, string>,
): StoredGpuPlan | undefined {
  const positions = new Map(tensors.map(({ id }, index) => [id, index]));
  const at = (id: number) => positions.get(id) as number;
  const texts = steps.map(({ pipeline }) => shaderText(pipeline));
  if (texts.includes(undefined) || tensors.some(({ buffer }) => buffer && !weights.has(buffer))) return undefined;
  return {
    part,
    key,
    inputs: inputs.map(({ name, id }) => ({ name, tensor: at(id) })),
    outputs: outputs.map((output): StoredGpuOutput => {
      if (output.data) return output;
      const { id, ...rest } = output;
      return { ...rest, tensor: at(id) };
    }),
    tensors: tensors.map(({ bytes, born, dies, buffer, data }) => {
      const weight = buffer && weights.get(buffer);
      return { bytes, born, dies, ...(weight !== undefined && { weight }), ...(data && { data }) };
    }),
    steps: steps.map(({ workgroups, tensors: ids, uniforms }, index) => ({
      shader: texts[index] as string,
      workgroups,
      tensors: ids.map(at),
      uniforms,
    })),
  };
}

/** The recording for a device. `weight` returns the model's buffer; it throws for a name that the model does not have. */
export function fromStoredGpu(
  { inputs, outputs, tensors, steps }: StoredGpuPlan,
  pipelines: ReadonlyMap<string, GPUComputePipeline>,
  weight: (name: string, bytes: number) => GPUBuffer,
): GpuRecording {
  return {
    tensors: tensors.map(({ weight: name, ...rest }, id): GpuTensor => {
      return name === undefined ? { ...rest, id } : { ...rest, id, buffer: weight(name, rest.bytes) };
    }),
    inputs: inputs.map(({ name, tensor }) => ({ name, id: tensor })),
    outputs: outputs.map((output): GpuOutput => {
      if (output.data) return output;
      const { tensor: id, ...rest } = output;
      return { ...rest, id };
    }),
    steps: steps.map(({ shader, ...rest }) => {
      const pipeline = pipelines.get(shader);
      if (!pipeline) throw new NoPlanError("a stored plan has a shader that was not compiled");
      return { ...rest, pipeline };
    }),
  };
}
