// The parts of tfjs's wasm backend that plans use (4.22), and a way to see what its kernels ask of the binary.
import type { DType, TypedArray } from "../../../shared/types/tensor.js";

type Native = (...args: number[]) => number;

export interface WasmModule {
  /** Replaced whenever the memory grows. */
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly HEAP32: Int32Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
  cwrap(name: string, result: string | null, types: string[]): (...args: unknown[]) => unknown;
  tfjs: {
    /** `size` counts elements, not bytes. A second registration of an id does not replace the first. */
    registerTensor(id: number, size: number, address: number): void;
    /** Also drops what kernels keep for the tensor, such as packed weights. */
    disposeData(id: number): void;
  };
}

/** The binary's function of this name, without the glue around it. Undefined where there is none. */
export const exportOf = (module: WasmModule, name: string): Native | undefined =>
  (module as unknown as Record<string, Native | undefined>)[`_${name}`];

export interface TensorRecord {
  /** What the binary knows the tensor by. */
  id: number;
  memoryOffset: number | null;
  shape: number[];
  dtype: DType | "string";
  refCount: number;
}

/** The object by which tfjs knows a tensor's data. */
export type DataId = object;

export interface TensorInfo {
  dataId: DataId;
  shape: number[];
  dtype: string;
}

export interface WasmBackend {
  readonly wasm: WasmModule;
  dataIdNextNumber: number;
  readonly dataIdMap: {
    get(data: DataId): TensorRecord;
    has(data: DataId): boolean;
    set(data: DataId, record: TensorRecord): void;
    delete(data: DataId): boolean;
  };
  move(data: DataId, values: TypedArray | null, shape: number[], dtype: string, refCount: number): void;
  makeOutput(shape: number[], dtype: string, address?: number, values?: unknown): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): TypedArray;
  readSync(data: DataId, start?: number, end?: number): TypedArray;
  read(data: DataId): Promise<TypedArray>;
  disposeData(data: DataId, force?: boolean): boolean;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

export const bytesPerElement = (dtype: string): number => (dtype === "bool" ? 1 : 4);

/** A view of the memory, valid until it grows. */
export function viewOf(module: WasmModule, dtype: string, address: number, size: number): TypedArray {
  const { buffer } = module.HEAPU8;
  if (dtype === "float32") return new Float32Array(buffer, address, size);
  return dtype === "int32" ? new Int32Array(buffer, address, size) : new Uint8Array(buffer, address, size);
}

export type CallObserver = (name: string, types: readonly string[], args: readonly unknown[]) => void;

let observer: CallObserver | undefined;

/** Calls the observer before each call of a kernel, until it is called with `undefined`. One recording runs at a time. */
export function setCallObserver(next: CallObserver | undefined): void {
  observer = next;
}

/** No number that a kernel passes besides ids is as large: sizes in bytes end at 2 GiB, and tfjs counts elements. */
const FIRST_ID = 2 ** 30;

/** To be called with a backend whose kernels have not been set up: they keep what `cwrap` gives them. */
export function makeObservable(backend: unknown): void {
  const { wasm } = backend as WasmBackend;
  (backend as WasmBackend).dataIdNextNumber = FIRST_ID;
  const cwrap = wasm.cwrap;
  wasm.cwrap = (name, result, types) => {
    const call = cwrap(name, result, types);
    return (...args) => {
      observer?.(name, types, args);
      return call(...args);
    };
  };
}
