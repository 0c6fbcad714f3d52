// Records the shaders that one run of a model starts on tfjs's WebGPU backend, with the tensors that they read and write.
import {
  getBackend,
  getKernelsForBackend,
  type KernelConfig,
  type NamedTensorMap,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { DType, TypedArray } from "../../../../shared/types/tensor.js";
import type { Execute } from "../check-runs.js";
import { NoPlanError } from "../steps.js";
import { toArray } from "../to-array.js";
import {
  type DataId,
  fromGpuBytes,
  type GpuBackend,
  type Program,
  type TensorInfo,
  type TensorRecord,
  toGpuArray,
} from "./backend.js";
import { withoutErrors } from "./error-scopes.js";
import type { GpuInput, GpuOutput, GpuRecording, GpuStep, GpuTensor } from "./recording.js";

type KernelFunc = KernelConfig["kernelFunc"];

interface Entry extends GpuTensor {
  isUsed: boolean;
  /** True where the content depends on the model's inputs. */
  isVariable: boolean;
}

/** `run` must return tensors of its own, which are disposed. Throws `NoPlanError` where the run cannot be replayed, and what `run` throws. */
export function record(backend: GpuBackend, inputs: NamedTensorMap, run: Execute): Promise<GpuRecording> {
  // Some of tfjs's shaders for integers do not compile. It computes small tensors on the CPU, so only the recorded run may need them.
  return withoutErrors(backend.device, async () => {
    const recorder = new Recorder(backend, inputs);
    const restore = recorder.listen();
    let results: Tensor[] = [];
    try {
      results = await run(inputs);
      return recorder.end(results);
    } finally {
      restore();
      if (results.length === 0) recorder.clear();
      // A read submits what is left of the run, so that no later one shares its fate.
      await Object.values(inputs)[0]?.data();
      for (const result of results) result.dispose();
    }
  });
}

class Recorder {
  readonly #backend: GpuBackend;
  readonly #steps: GpuStep[] = [];
  readonly #entries = new Map<DataId, Entry>();
  readonly #inputs: GpuInput[] = [];
  /** Made during the run, and not disposed yet. */
  readonly #alive = new Set<DataId>();
  /** Made during the run. Others are weights. */
  readonly #made = new WeakSet<DataId>();
  /** What tfjs wrote last into a buffer of uniforms. */
  #uniforms: Uint8Array<ArrayBuffer> | undefined;
  #kernel: string | undefined;
  #reason: string | undefined;

  constructor(backend: GpuBackend, inputs: NamedTensorMap) {
    this.#backend = backend;
    for (const [name, { dataId }] of Object.entries(inputs)) {
      // Kernels compute small tensors on the CPU, unless they are on the GPU already.
      backend.uploadToGPU(dataId);
      const { id } = this.#add(dataId, { isUsed: true, isVariable: true });
      this.#inputs.push({ name, id });
      this.#made.add(dataId);
    }
  }

  /** Replaces what the kernels use; the result undoes it. */
  listen(): () => void {
    const backend = this.#backend;
    const { write, move, uploadToGPU, recordAndSubmit, createTensorFromGPUData, readSync, read, disposeData } = backend;
    const hooks: Partial<GpuBackend> = {
      write: (...args) => {
        const data = write.apply(backend, args);
        this.#made.add(data);
        this.#alive.add(data);
        return data;
      },
      move: (...args) => {
        this.#refuse("moves tensors between backends");
        move.apply(backend, args);
      },
      uploadToGPU: (data) => {
        const { values, dtype } = backend.tensorMap.get(data);
        const isNew = this.#made.has(data) && !this.#entries.has(data);
        const content = isNew && values ? toGpuArray(values as TypedArray, dtype) : undefined;
        uploadToGPU.call(backend, data);
        if (isNew) this.#add(data, content && { data: new Uint8Array(content.buffer) });
      },
      recordAndSubmit: (program, output, inputs, ...rest) => {
        this.#uniforms = undefined;
        const step = this.#stepOf(program, output, inputs);
        recordAndSubmit.call(backend, program, output, inputs, ...rest);
        if (step && this.#uniforms) this.#steps.push({ ...step, uniforms: this.#uniforms });
        else this.#refuse("works on what is in no buffer");
      },
      createTensorFromGPUData: (...args) => {
        this.#refuse("takes buffers");
        return createTensorFromGPUData.apply(backend, args);
      },
      readSync: (data) => {
        this.#onRead(data);
        // tfjs may never have read it from the GPU, where that takes long, or hangs: it computes small tensors on the CPU.
        if (this.#reason) throw new NoPlanError(this.#reason);
        return readSync.call(backend, data);
      },
      read: (data) => {
        this.#onRead(data);
        return read.call(backend, data);
      },
      disposeData: (data, force) => {
        const isGone = disposeData.call(backend, data, force);
        if (isGone) this.#onGone(data);
        return isGone;
      },
    };
    Object.assign(backend, hooks);
    const restoreQueue = this.#listenToQueue(backend.device.queue);
    const restoreKernels = this.#listenToKernels();
    return () => {
      restoreKernels();
      restoreQueue();
      // What is behind them are the methods of the classes.
      for (const name of Object.keys(hooks)) delete (backend as unknown as Record<string, unknown>)[name];
    };
  }

  /** After a run that was broken off: frees what its kernels made for themselves. */
  clear(): void {
    for (const data of this.#alive) this.#backend.disposeData(data, true);
  }

  end(results: Tensor[]): GpuRecording {
    const outputs = results.map((result) => this.#output(result));
    const own = new Set<DataId>(results.map(({ dataId }) => dataId));
    for (const data of this.#alive)
      if (!own.has(data) && this.#entries.get(data)?.isVariable) this.#refuse("keeps tensors from one run to the next");
    if (this.#reason) throw new NoPlanError(this.#reason);
    const tensors = [...this.#entries.values()]
      .filter(({ isUsed }) => isUsed)
      .map(({ isUsed: _, isVariable: __, ...tensor }) => tensor);
    return { steps: this.#steps, tensors, inputs: this.#inputs, outputs };
  }

  #listenToQueue(queue: GPUQueue): () => void {
    const { writeBuffer } = queue;
    queue.writeBuffer = (buffer, offset, source, start, size) => {
      if (buffer.usage & GPUBufferUsage.UNIFORM) this.#uniforms = new Uint8Array((source as ArrayBuffer).slice(0));
      else this.#refuse("writes to a buffer");
      writeBuffer.call(queue, buffer, offset, source, start, size);
    };
    return () => {
      delete (queue as unknown as Record<string, unknown>).writeBuffer;
    };
  }

  /** The names of kernels are for the reasons. */
  #listenToKernels(): () => void {
    const kernels = getKernelsForBackend(getBackend());
    const functions = kernels.map(({ kernelFunc }) => kernelFunc);
    for (const [index, kernel] of kernels.entries())
      kernel.kernelFunc = (params) => {
        const outer = this.#kernel;
        // What a kernel calls belongs to it.
        this.#kernel ??= kernel.kernelName;
        try {
          return (functions[index] as KernelFunc)(params);
        } finally {
          this.#kernel = outer;
        }
      };
    return () => {
      for (const [index, kernel] of kernels.entries()) kernel.kernelFunc = functions[index] as KernelFunc;
    };
  }

  /** The first reason counts: what follows may be caused by it. The run goes on, so that tfjs stays in order. */
  #refuse(what: string): void {
    this.#reason ??= `${this.#kernel ?? "the model"} ${what}`;
  }

  #add(data: DataId, more: Partial<Entry> = {}): Entry {
    const { shape } = this.#backend.tensorMap.get(data);
    const bytes = 4 * shape.reduce((product, length) => product * length, 1);
    const [born, dies] = [this.#steps.length, Number.POSITIVE_INFINITY];
    const entry: Entry = { id: this.#entries.size, bytes, born, dies, isUsed: false, isVariable: false, ...more };
    this.#entries.set(data, entry);
    return entry;
  }

  /** Undefined where it is in no buffer. */
  #use(data: DataId): Entry | undefined {
    const { resource } = this.#backend.tensorMap.get(data);
    if (!(resource instanceof GPUBuffer)) return undefined;
    const known = this.#entries.get(data);
    if (!known && this.#made.has(data)) return undefined;
    // It was there before the run: a weight.
    const entry = known ?? this.#add(data, { buffer: resource });
    entry.isUsed = true;
    return entry;
  }

  #stepOf(
    { pipeline, dispatch }: Program,
    output: TensorInfo,
    inputs: TensorInfo[],
  ): Omit<GpuStep, "uniforms"> | undefined {
    const [written, ...read] = [output, ...inputs].map(({ dataId }) => this.#use(dataId));
    if (!written || !read.every((entry) => entry !== undefined)) return undefined;
    if (written.buffer || written.data || this.#inputs.some(({ id }) => id === written.id))
      this.#refuse("writes over a constant");
    written.isVariable ||= read.some(({ isVariable }) => isVariable);
    return { pipeline, workgroups: [...dispatch], tensors: [written, ...read].map(({ id }) => id) };
  }

  #onRead(data: DataId): void {
    if (this.#entries.get(data)?.isVariable) this.#refuse("reads values back");
  }

  #onGone(data: DataId): void {
    this.#alive.delete(data);
    const entry = this.#entries.get(data);
    if (entry && !entry.buffer) entry.dies = Math.min(entry.dies, this.#steps.length);
  }

  #output({ dataId, shape, dtype }: Tensor): GpuOutput {
    const form = { shape: shape.slice(), dtype: dtype as DType };
    const { resource, values, dtype: stored } = this.#backend.tensorMap.get(dataId) as TensorRecord & { dtype: DType };
    const isKnown = [dtype, stored].every((one) => ["float32", "int32", "bool"].includes(one));
    if (isKnown && !resource && values) return { ...form, data: toArray(form.dtype, values as TypedArray) };
    const entry = isKnown ? this.#use(dataId) : undefined;
    if (!entry) this.#refuse(`has an output of ${dtype} that is in no buffer`);
    if (entry?.data) return { ...form, data: toArray(form.dtype, fromGpuBytes(entry.data.slice().buffer, stored)) };
    return { ...form, id: entry?.id ?? 0, stored };
  }
}
