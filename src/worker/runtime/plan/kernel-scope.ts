// One kernel of tfjs while a run is recorded: what it reads and copies in JavaScript becomes steps, and what it leaves unwritten is noticed.
import type { TypedArray } from "../../../shared/types/tensor.js";
import { addRange, type CopyStep, type Step } from "./steps.js";
import type { DataId, TensorInfo, WasmBackend } from "./wasm-backend.js";
import { bytesPerElement, sizeOf } from "./wasm-module.js";

/** A tensor's place in memory. */
interface Place {
  id: number;
  dtype: string;
  address: number;
  bytes: number;
}

/** Where the elements of an array are from. */
interface Origin {
  id: number;
  dtype: string;
  /** In elements. */
  at: number;
}

export interface KernelCall {
  name: string;
  inputs: Record<string, TensorInfo | TensorInfo[] | null | undefined>;
  attrs: Record<string, unknown>;
  /** True where a result depends on the model's inputs. Other results are constants. */
  isVariable: boolean;
}

// They copy parts of a tensor element by element where it has more than four dimensions.
const SLICES = ["Slice", "SplitV", "StridedSlice", "Unpack"];
// Larger integers are no float32.
const MAX_FLOAT_INDEX = 2 ** 24;
// The same functions for all typed arrays.
const { set, fill } = Uint8Array.prototype;

export class KernelScope {
  readonly call: KernelCall;
  readonly #backend: WasmBackend;
  readonly #steps: Step[];
  readonly #refuse: (what: string) => void;
  /** Of the inputs, and of what is made here. */
  readonly #places: Place[] = [];
  /** Bytes of the tensors made here that nothing has written yet. */
  readonly #unwritten = new Map<number, number>();
  /** Arrays that were read back, until they are copied from. */
  readonly #unread = new Set<ArrayBufferLike>();
  readonly #origins = new Map<ArrayBufferLike, Origin>();
  /** The copies since the last call of the binary. */
  readonly #copies = new Map<string, CopyStep>();
  /** Set while arrays that the kernel copies hold indices into these values. */
  #indexed: { values: TypedArray; origin: Origin } | undefined;

  constructor(call: KernelCall, backend: WasmBackend, steps: Step[], refuse: (what: string) => void) {
    this.call = call;
    this.#backend = backend;
    this.#steps = steps;
    this.#refuse = refuse;
  }

  addInput(data: DataId): void {
    const { id, dtype, memoryOffset, shape } = this.#backend.dataIdMap.get(data);
    const bytes = sizeOf(shape) * bytesPerElement(dtype);
    this.#places.push({ id, dtype, address: memoryOffset as number, bytes });
  }

  addMade(data: DataId): void {
    this.addInput(data);
    const { id, bytes } = this.#places.at(-1) as Place;
    this.#unwritten.set(id, bytes);
  }

  /** A call of the binary counts as writing each tensor that it gets, since most kernels have one output. */
  onCall(args: readonly unknown[]): void {
    this.#copies.clear();
    for (const arg of args) if (typeof arg === "number") this.#unwritten.delete(arg);
  }

  end(): void {
    if (this.#unread.size > 0) this.#refuse("reads values back");
    for (const bytes of this.#unwritten.values()) if (bytes > 0) this.#refuse("computes in JavaScript");
  }

  /** Returns what the kernel shall see. */
  onRead(data: DataId, values: TypedArray, start: number): TypedArray {
    const { id, shape, dtype } = this.#backend.dataIdMap.get(data);
    const { name, inputs, attrs } = this.call;
    if (name === "GatherV2") {
      // It reads its indices only to check them.
      const { x } = inputs as { x: TensorInfo };
      const axis = [attrs.axis ?? 0].flat()[0] as number;
      this.#steps.push({ kind: "bounds", of: id, limits: [x.shape.at(axis) as number] });
      return values;
    }
    const origin = { id, dtype, at: start };
    this.#unread.add(values.buffer);
    this.#origins.set(values.buffer, origin);
    if (!SLICES.includes(name) || shape.length <= 4 || dtype === "bool") return values;
    if (dtype === "float32" && values.length > MAX_FLOAT_INDEX) return values;
    this.#indexed = { values, origin };
    return values.map((_, index) => index);
  }

  /** The array notes what is written to it. Kernels write with `set` and `fill` only; others leave their results unwritten. */
  watch({ dataId }: TensorInfo, view: TypedArray): TypedArray {
    const { id, dtype } = this.#backend.dataIdMap.get(dataId);
    if (!this.#unwritten.has(id)) return view;
    const wrote = (elements: number) =>
      this.#unwritten.set(id, (this.#unwritten.get(id) ?? 0) - elements * bytesPerElement(dtype));
    return Object.assign(view, {
      set: (source: TypedArray, at = 0) => {
        wrote(source.length);
        if (source.length > 0) this.#copy(source, view, { id, dtype, at });
      },
      fill: (value: number) => {
        wrote(view.length);
        this.#steps.push({ kind: "fill", to: id, value });
        return fill.call(view, value);
      },
    });
  }

  #copy(source: TypedArray, view: TypedArray, to: Origin): void {
    const from = this.#originOf(source);
    if (from) {
      set.call(view, source, to.at);
      this.#unread.delete(source.buffer);
      this.#addCopy(from, to, source.length);
    } else if (this.#indexed) {
      const { values, origin } = this.#indexed;
      this.#unread.delete(values.buffer);
      for (const [place, index] of source.entries()) {
        view[to.at + place] = values[index] as number;
        this.#addCopy({ ...origin, at: origin.at + index }, { ...to, at: to.at + place }, 1);
      }
    } else {
      set.call(view, source, to.at);
      this.#refuse("computes in JavaScript");
    }
  }

  #addCopy(from: Origin, to: Origin, length: number): void {
    if (from.dtype !== to.dtype) {
      // The kernel Cast converts whole tensors.
      if (from.at > 0 || to.at > 0) this.#refuse("converts a part of a tensor");
      this.#steps.push({ kind: "cast", from: from.id, to: to.id });
      return;
    }
    const key = `${from.id} ${to.id}`;
    let copy = this.#copies.get(key);
    if (!copy) {
      copy = { kind: "copy", from: from.id, to: to.id, blocks: [] };
      this.#copies.set(key, copy);
      this.#steps.push(copy);
    }
    addRange(copy.blocks, from.at, to.at, length);
  }

  #originOf({ buffer, byteOffset }: TypedArray): Origin | undefined {
    const read = this.#origins.get(buffer);
    if (read) return { ...read, at: read.at + byteOffset / bytesPerElement(read.dtype) };
    if (buffer !== this.#backend.wasm.HEAPU8.buffer) return undefined;
    const place = this.#places.find(({ address, bytes }) => address <= byteOffset && byteOffset < address + bytes);
    return place && { ...place, at: (byteOffset - place.address) / bytesPerElement(place.dtype) };
  }
}
