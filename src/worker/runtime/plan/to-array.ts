// Copies values into the array of a dtype.
import type { DType, TensorData, TypedArray } from "../../../shared/types/tensor.js";
import { newValues } from "../graph/evaluate.js";

/** tfjs returns some results in the array of another dtype: on WebGPU what it cast to a wider one. */
export function toArray(dtype: DType, data: TypedArray): TensorData["data"] {
  const values = newValues(dtype, data.length);
  values.set(data);
  return values as TensorData["data"];
}
