// Tensors as plain data, and the backends that compute them.

/** A way to compute: the GPU through WebGPU, WebAssembly with SIMD, or plain JavaScript. */
export type Backend = "webgpu" | "wasm" | "cpu";

/** Element types of the public API. Images also go into inputs of type uint8, which TensorFlow.js computes as int32. */
export type DType = "float32" | "int32" | "bool";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Numbers with their shape, for inputs of which several sizes are open. */
export interface ShapedNumbers {
  /** Row-major. */
  data: TypedArray;
  shape: number[];
}

/** One tensor as plain data; `data` is row-major and as long as the product of `shape`. */
export interface TensorData {
  data: TypedArray;
  shape: number[];
  dtype: DType;
}
