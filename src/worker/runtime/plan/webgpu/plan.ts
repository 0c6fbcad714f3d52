// Replays a recorded run of a model on WebGPU: one pass with all its shaders, and one submit.
import type { TensorData } from "../../../../shared/types/tensor.js";
import { type Drawing, drawImage, type Picture, pictureOf } from "../../draw-image.js";
import type { ImageFeed } from "../../image.js";
import type { Feeds } from "../check-runs.js";
import type { ReplayPlan } from "../plan-maker.js";
import { NoPlanError } from "../steps.js";
import { toArray } from "../to-array.js";
import { fromGpuBytes, toGpuArray } from "./backend.js";
import { withoutErrors } from "./error-scopes.js";
import type { GpuOutput, GpuRecording, GpuTensor } from "./recording.js";
import { shareBuffers } from "./share-buffers.js";

/** What the plan's buffers are called in the browser's tools. */
const LABEL = "insitu plan";
/** What a mapped range must begin at a multiple of. */
const MAP_ALIGNMENT = 8;

interface ReadyStep {
  /** Absent where it is that of the step before. */
  pipeline?: GPUComputePipeline;
  group: GPUBindGroup;
  workgroups: [x: number, y: number, z: number];
}

type Binding = Required<Pick<GPUBufferBinding, "buffer" | "size">> & { offset?: number };

interface BoundInput {
  name: string;
  buffer: GPUBuffer;
}

type PlacedFeed = ImageFeed & Required<Pick<ImageFeed, "placed">>;

interface Copied {
  from: GPUBuffer;
  at: number;
  bytes: number;
}

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

export class GpuPlan implements ReplayPlan {
  readonly #device: GPUDevice;
  readonly #steps: ReadyStep[] = [];
  readonly #inputs: BoundInput[];
  readonly #outputs: (GpuOutput & { copied?: Copied })[];
  readonly #owned: GPUBuffer[] = [];
  /** Undefined where all outputs are constants. */
  readonly #mappable: GPUBuffer | undefined;
  #isDisposed = false;

  /** The device must be that of the recording's pipelines and buffers, and its recorded tensors disposed. Rejects with `NoPlanError` where WebGPU refuses it. */
  static async create(device: GPUDevice, recording: GpuRecording): Promise<GpuPlan> {
    let plan: GpuPlan | undefined;
    try {
      return await withoutErrors(device, () => {
        plan = new GpuPlan(device, recording);
        return plan;
      });
    } catch (error) {
      plan?.dispose();
      // Numbers that WebGPU cannot take.
      throw error instanceof NoPlanError ? error : new NoPlanError((error as Error).message, { cause: error });
    }
  }

  private constructor(device: GPUDevice, { steps, tensors, inputs, outputs }: GpuRecording) {
    this.#device = device;
    const uniforms = steps.map((step) => step.uniforms);
    const constants = tensors.filter(({ data }) => data);
    const tables = this.#pack([...uniforms, ...constants.map(({ data }) => data as Uint8Array<ArrayBuffer>)]);
    const bindings = this.#place(tensors, new Set(inputs.map(({ id }) => id)));
    for (const [index, { id }] of constants.entries()) bindings.set(id, tables[uniforms.length + index] as Binding);
    const bindingOf = (id: number) => bindings.get(id) as Binding;
    let before: GPUComputePipeline | undefined;
    for (const [index, { pipeline, workgroups, tensors: ids }] of steps.entries()) {
      const resources = [...ids.map(bindingOf), tables[index] as Binding];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      this.#steps.push({ ...(pipeline !== before && { pipeline }), group, workgroups });
      before = pipeline;
    }
    this.#inputs = inputs.map(({ name, id }) => ({ name, buffer: bindingOf(id).buffer }));
    let bytes = 0;
    this.#outputs = outputs.map((output) => {
      if (output.data) return output;
      const { buffer: from, size } = bindingOf(output.id);
      const at = bytes;
      bytes += align(size, MAP_ALIGNMENT);
      return { ...output, copied: { from, at, bytes: size } };
    });
    if (bytes > 0) this.#mappable = this.#create(bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  /** Without pictures the commands are submitted when it returns. */
  execute(feeds: Feeds): Promise<void> | void {
    const pictures = this.#inputs.filter(({ name }) => (feeds[name] as ImageFeed).placed);
    for (const input of this.#inputs) if (!pictures.includes(input)) this.#write(input, feeds);
    return pictures.length > 0 ? this.#executeDrawing(pictures, feeds) : this.#submit([]);
  }

  async #executeDrawing(inputs: BoundInput[], feeds: Feeds): Promise<void> {
    const pictures: Picture[] = [];
    for (const input of inputs) {
      const { placed, shape, dtype } = feeds[input.name] as PlacedFeed;
      const picture = await pictureOf(this.#device, placed, shape, dtype, input.buffer);
      if (picture) pictures.push(picture);
      else await this.#drawApart(input, feeds);
    }
    let drawings: Drawing[] = [];
    try {
      for (const { prepare } of pictures) drawings.push(prepare());
    } catch {
      // The browser cannot import this frame.
      for (const { free } of drawings) free();
      drawings = [];
      for (const input of inputs) await this.#drawApart(input, feeds);
    }
    this.#submit(drawings);
  }

  /** A picture is drawn where the shaders read it; where the GPU cannot, `data` is computed on the CPU. */
  async #drawApart(input: BoundInput, feeds: Feeds): Promise<void> {
    const { placed, shape, dtype } = feeds[input.name] as PlacedFeed;
    if (!(await drawImage(this.#device, placed, shape, dtype, input.buffer))) this.#write(input, feeds);
  }

  #write({ name, buffer }: BoundInput, feeds: Feeds): void {
    const { data, dtype } = feeds[name] as TensorData;
    const values = dtype === "bool" ? toGpuArray(data, dtype) : data;
    this.#device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
  }

  #submit(drawings: Drawing[]): void {
    const device = this.#device;
    // A picture may have taken a while; a submit with buffers that were destroyed would be an error of the device.
    if (this.#isDisposed) throw new Error("the plan was disposed");
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { encode } of drawings) encode(pass);
    for (const { pipeline, group, workgroups } of this.#steps) {
      if (pipeline) pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
    for (const { copied } of this.#outputs)
      if (copied && this.#mappable) encoder.copyBufferToBuffer(copied.from, 0, this.#mappable, copied.at, copied.bytes);
    device.queue.submit([encoder.finish()]);
    for (const { free } of drawings) free();
  }

  async read(): Promise<TensorData[]> {
    await this.#mappable?.mapAsync(GPUMapMode.READ);
    const mapped = this.#mappable?.getMappedRange();
    const outputs = this.#outputs.map(({ copied, ...output }): TensorData => {
      const bytes = copied && mapped?.slice(copied.at, copied.at + copied.bytes);
      const values = output.data ?? fromGpuBytes(bytes as ArrayBuffer, output.stored);
      return { data: toArray(output.dtype, values), shape: output.shape.slice(), dtype: output.dtype };
    });
    this.#mappable?.unmap();
    return outputs;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const buffer of this.#owned.splice(0)) buffer.destroy();
  }

  // ---- memory ------------------------------------------------------------------------------------------------------

  #create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ label: LABEL, size, usage });
    this.#owned.push(buffer);
    return buffer;
  }

  /** Puts what never changes into one buffer. */
  #pack(parts: Uint8Array<ArrayBuffer>[]): Binding[] {
    const { minUniformBufferOffsetAlignment, minStorageBufferOffsetAlignment } = this.#device.limits;
    const alignment = Math.max(minUniformBufferOffsetAlignment, minStorageBufferOffsetAlignment);
    let size = 0;
    const offsets = parts.map(({ length }) => {
      const offset = size;
      size += align(length, alignment);
      return offset;
    });
    if (size === 0) return [];
    const all = new Uint8Array(size);
    for (const [index, part] of parts.entries()) all.set(part, offsets[index]);
    const { UNIFORM, STORAGE, COPY_DST } = GPUBufferUsage;
    const buffer = this.#create(size, UNIFORM | STORAGE | COPY_DST);
    this.#device.queue.writeBuffer(buffer, 0, all);
    return parts.map((part, index) => ({ buffer, offset: offsets[index], size: part.length }));
  }

  /** Inputs have buffers of their own, weights the model's; all others share theirs. */
  #place(tensors: GpuTensor[], inputs: Set<number>): Map<number, Binding> {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const { sizes, buffers } = shareBuffers(
      tensors.filter(({ id, buffer, data }) => !buffer && !data && !inputs.has(id)),
    );
    const shared = sizes.map((size) => this.#create(size, STORAGE | COPY_SRC));
    const bindings = new Map<number, Binding>();
    for (const { id, bytes: size, buffer, data } of tensors) {
      if (data) continue;
      const found = buffer ?? shared[buffers.get(id) ?? -1];
      bindings.set(id, { buffer: found ?? this.#create(size, STORAGE | COPY_SRC | COPY_DST), size });
    }
    return bindings;
  }
}
