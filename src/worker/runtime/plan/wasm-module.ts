// What plans need of tfjs's wasm binary, whether tfjs started it or `start-binary.ts`.
import type { TypedArray } from "../../../shared/types/tensor.js";

export type Native = (...args: number[]) => number;

export interface WasmModule {
  /** Replaced whenever the memory grows. */
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly HEAP32: Int32Array<ArrayBuffer>;
  /** Throws a `RangeError` where there is no memory. */
  _malloc(bytes: number): number;
  _free(address: number): void;
  tfjs: {
    /** `size` counts elements, not bytes. A second registration of an id does not replace the first. */
    registerTensor(id: number, size: number, address: number): void;
    /** Also drops what kernels keep for the tensor, such as packed weights. */
    disposeData(id: number): void;
  };
}

/** No number that a kernel passes besides ids is as large: sizes in bytes end at 2 GiB, and tfjs counts elements. */
export const FIRST_ID = 2 ** 30;

/** The binary's function of this name, without the glue around it. Undefined where there is none. */
export function exportOf(module: WasmModule, name: string): Native | undefined {
  const key = `_${name}`;
  // Names come from stored plans: none may be found on a prototype.
  return Object.hasOwn(module, key) ? (module as unknown as Record<string, Native>)[key] : undefined;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

export const bytesPerElement = (dtype: string): number => (dtype === "bool" ? 1 : 4);

/** A view of the memory, valid until it grows. */
export function viewOf(module: WasmModule, dtype: string, address: number, size: number): TypedArray {
  const { buffer } = module.HEAPU8;
  if (dtype === "float32") return new Float32Array(buffer, address, size);
  return dtype === "int32" ? new Int32Array(buffer, address, size) : new Uint8Array(buffer, address, size);
}
