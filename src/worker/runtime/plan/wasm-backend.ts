// The parts of tfjs's wasm backend that plans use (4.22), and a way to see what its kernels ask of the binary.
import type { DType, TypedArray } from "../../../shared/types/tensor.js";
import { FIRST_ID, type WasmModule } from "./wasm-module.js";

interface TfjsModule extends WasmModule {
  cwrap(name: string, result: string | null, types: string[]): (...args: unknown[]) => unknown;
}

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
  readonly wasm: TfjsModule;
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

export type CallObserver = (name: string, types: readonly string[], args: readonly unknown[]) => void;

let observer: CallObserver | undefined;

/** Calls the observer before each call of a kernel, until it is called with `undefined`. One recording runs at a time. */
export function setCallObserver(next: CallObserver | undefined): void {
  observer = next;
}

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
