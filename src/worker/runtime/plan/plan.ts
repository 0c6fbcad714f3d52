// Replays a recorded run of a model: its tensors lie in memory of the plan's own, and each step is a call of tfjs's wasm binary or a copy.
import type { TensorData, TypedArray } from "../../../shared/types/tensor.js";
import { align, layOut } from "./layout.js";
import {
  type CopyBlock,
  NoPlanError,
  OutOfTableError,
  type PlannedTensor,
  type Recording,
  type Step,
} from "./steps.js";
import { bytesPerElement, exportOf, viewOf, type WasmModule } from "./wasm-module.js";

type Feeds = Record<string, TensorData>;

// Calling `copyWithin` takes as long as copying about this many elements one by one.
const SHORT = 16;

interface Located extends PlannedTensor {
  address: number;
}

let heldBytes = 0;

/** Bytes of the memory of all plans. */
export const planBytes = (): number => heldBytes;

/** The weights of the recording must be registered in the module, its other tensors not. */
export class Plan {
  readonly bytes: number;
  readonly recording: Recording;
  /** Runs each step. A step may be replaced by what computes the same. */
  readonly steps: (() => void)[] = [];
  readonly #module: WasmModule;
  readonly #tensors = new Map<number, Located>();
  readonly #base: number;
  #isDisposed = false;

  /** Throws `NoPlanError`, or a `RangeError` where there is no memory. */
  constructor(module: WasmModule, recording: Recording) {
    this.#module = module;
    this.recording = recording;
    const { tensors, steps } = recording;
    const { offsets, bytes: arenaBytes } = layOut(
      tensors.filter(({ address, data }) => address === undefined && !data),
    );
    const constants = tensors.filter(({ data }) => data);
    const tables = steps.flatMap((step) =>
      step.kind === "call" ? step.args.filter((arg) => typeof arg !== "number") : [],
    );
    const kept = [...constants.map(({ data }) => data as Uint8Array), ...tables];
    this.bytes = kept.reduce((sum, { length }) => sum + align(length), arenaBytes) + align(1);
    this.#base = this.#module._malloc(this.bytes) >>> 0;
    heldBytes += this.bytes;
    const start = align(this.#base);
    for (const [id, offset] of offsets) offsets.set(id, start + offset);
    const addresses = new Map<Uint8Array, number>();
    let next = start + arenaBytes;
    for (const data of kept) {
      this.#module.HEAPU8.set(data, next);
      addresses.set(data, next);
      next += align(data.length);
    }
    for (const tensor of tensors) {
      const address = tensor.address ?? offsets.get(tensor.id) ?? (addresses.get(tensor.data as Uint8Array) as number);
      this.#tensors.set(tensor.id, { ...tensor, data: undefined, address });
      if (tensor.address === undefined) this.#module.tfjs.registerTensor(tensor.id, tensor.size, address);
    }
    try {
      for (const step of steps) this.steps.push(this.#compile(step, addresses));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Throws `OutOfTableError`, and what the binary throws. */
  execute(feeds: Feeds): void {
    for (const { name, id } of this.recording.inputs) {
      const { dtype, address, size } = this.tensor(id);
      viewOf(this.#module, dtype, address, size).set((feeds[name] as TensorData).data);
    }
    for (const step of this.steps) step();
  }

  /** Copies of the outputs of the last run, in the order of the recorded ones. */
  read(): TensorData[] {
    return this.recording.outputs.map(({ id, shape, dtype }) => {
      const { address, size } = this.tensor(id);
      return { data: viewOf(this.#module, dtype, address, size).slice(), shape: shape.slice(), dtype };
    });
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    heldBytes -= this.bytes;
    for (const { id, address } of this.recording.tensors) if (address === undefined) this.#module.tfjs.disposeData(id);
    this.#module._free(this.#base);
  }

  /** To be called instead of `dispose` where the module is given up with all its memory: nothing in it is called. */
  abandon(): void {
    if (!this.#isDisposed) heldBytes -= this.bytes;
    this.#isDisposed = true;
  }

  /** Where a tensor lies. Throws `NoPlanError` where there is none of this id. */
  tensor(id: number): Located {
    const found = this.#tensors.get(id);
    if (!found) throw new NoPlanError(`a step names the tensor ${id}, which was not recorded`);
    return found;
  }

  // ---- steps -------------------------------------------------------------------------------------------------------

  #compile(step: Step, addresses: Map<Uint8Array, number>): () => void {
    const module = this.#module;
    switch (step.kind) {
      case "call": {
        const call = exportOf(module, step.name);
        if (!call) throw new NoPlanError(`the binary has no function ${step.name}`);
        const args = step.args.map((arg) => (typeof arg === "number" ? arg : (addresses.get(arg) as number)));
        return () => call(...args);
      }
      case "copy":
        return this.#copy(this.tensor(step.from), this.tensor(step.to), step.blocks);
      case "cast": {
        const { address, dtype, size } = this.tensor(step.from);
        const to = this.tensor(step.to);
        return () => viewOf(module, to.dtype, to.address, size).set(viewOf(module, dtype, address, size));
      }
      case "fill": {
        const { address, dtype, size } = this.tensor(step.to);
        return () => viewOf(module, dtype, address, size).fill(step.value);
      }
      case "bounds": {
        const { address, dtype, size } = this.tensor(step.of);
        const { limits } = step;
        return () => {
          const indices = viewOf(module, dtype, address, size);
          for (let place = 0; place < size; place += 1) {
            const index = indices[place] as number;
            const limit = limits[place % limits.length] as number;
            if (!(index >= 0 && index < limit)) throw new OutOfTableError(`${index} is not below ${limit}`);
          }
        };
      }
      case "numbers": {
        const { address, dtype, size } = this.tensor(step.of);
        return () => {
          // By index: iterators and callbacks take five times as long, milliseconds in the models that have this.
          const values = viewOf(module, dtype, address, size);
          for (let place = 0; place < size; place += 1)
            if (Number.isNaN(values[place])) throw new OutOfTableError("NaN cannot be sorted");
        };
      }
      case "renew": {
        const { id, size, address } = this.tensor(step.of);
        return () => {
          module.tfjs.disposeData(id);
          module.tfjs.registerTensor(id, size, address);
        };
      }
      default:
        return step satisfies never;
    }
  }

  #copy(from: Located, to: Located, blocks: CopyBlock[]): () => void {
    const module = this.#module;
    const width = bytesPerElement(from.dtype);
    return () => {
      const heap = width === 1 ? module.HEAPU8 : module.HEAP32;
      for (const { from: fromStart, to: toStart, length, count, fromStride, toStride } of blocks) {
        let source = from.address / width + fromStart;
        let target = to.address / width + toStart;
        for (let range = 0; range < count; range += 1) {
          if (length > SHORT) heap.copyWithin(target, source, source + length);
          else copyShort(heap, target, source, length);
          source += fromStride;
          target += toStride;
        }
      }
    };
  }
}

function copyShort(heap: TypedArray, target: number, source: number, length: number): void {
  for (let index = 0; index < length; index += 1) heap[target + index] = heap[source + index] as number;
}
