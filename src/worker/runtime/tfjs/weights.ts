// Makes tensors of a model's weights while their bytes arrive, so that they are never in memory twice.
import { backend as currentBackend, dispose, type NamedTensorMap, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../../shared/types/tensor.js";
import type { WeightSpec } from "../../package/topology.js";
import type { Constant } from "../graph/types.js";
import { readWeights } from "../read-weights.js";

// tfjs reads small tensors (shapes, axes, paddings) on the CPU even when the graph runs on a GPU; copies of them cost nothing.
const SMALL = 1024;

export interface Decoding {
  /** Called after each wait for bytes, during which another backend may have been used. */
  use?: () => Promise<void>;
  /** Weights whose values are returned as well. */
  keep?: ReadonlySet<string>;
  /** Weights that are not needed. */
  skip?: ReadonlySet<string>;
}

export interface Decoded {
  tensors: NamedTensorMap;
  values: Map<string, Constant>;
}

/** One tensor for each weight, by name, on tfjs's current backend. `chunks` as for `readWeights`. */
export async function decodeWeights(
  specs: WeightSpec[],
  chunks: AsyncIterable<ArrayBuffer>,
  backend: Backend,
  { use, keep, skip }: Decoding = {},
): Promise<Decoded> {
  const tensors: NamedTensorMap = {};
  const values: Decoded["values"] = new Map();
  const reading = { use, skip: (name: string) => skip?.has(name) === true };
  try {
    await readWeights(specs, chunks, reading, ({ name, shape, dtype }, decoded, isView) => {
      const size = decoded.length;
      const isKept = keep?.has(name) === true;
      // cpu keeps the array itself, and so does webgpu for small ones; a view into a chunk would be invalid once the chunk is freed.
      const isCopied = isView && (isKept || backend === "cpu" || (backend === "webgpu" && size < SMALL));
      const data = isCopied ? decoded.slice() : decoded;
      if (isKept) values.set(name, { shape, dtype, values: data });
      const result = tensor(data, shape, dtype);
      tensors[name] = result;
      if (backend === "webgpu" && size >= SMALL) upload(result);
    });
    return { tensors, values };
  } catch (error) {
    dispose(tensors);
    throw error;
  }
}

/** Moves the values to the GPU now; tfjs would keep them in memory until the first run. */
function upload(weight: Tensor): void {
  const gpu = currentBackend() as { uploadToGPU?: (dataId: object) => void };
  gpu.uploadToGPU?.(weight.dataId);
}
