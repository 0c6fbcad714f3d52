// Reads the weights that a model's plans need, as they arrive.
import type { WeightSpec } from "../../package/topology.js";
import { prepareGraph, type Rewriting, type Topology } from "../graph/prepare.js";
import type { Constant } from "../graph/types.js";
import { readWeights, type WeightValues } from "../read-weights.js";
import type { ModelSource } from "../session/engine.js";
import { sizeOf } from "./wasm-module.js";

export interface WeightMemory {
  /** Called with each weight that was not reserved; the values are valid until it returns. */
  add(name: string, dtype: Constant["dtype"], data: WeightValues | Constant["values"]): void;
  /** Memory into which a weight's values are read at once; its view is asked for again after each wait. */
  reserve?: (name: string, dtype: Constant["dtype"], size: number) => () => WeightValues;
}

/** The names of the weights that plans need. */
export const neededBy = (plans: { tensors: { weight?: string }[] }[]): Set<string> =>
  new Set(plans.flatMap(({ tensors }) => tensors.flatMap(({ weight }) => weight ?? [])));

/** The weights of the rewritten graph. Throws what reading them throws. `rewriting` is called where no rewritten graph is stored. */
export async function readPlanWeights(
  source: ModelSource,
  needed: Set<string>,
  rewriting: () => Promise<Rewriting>,
  memory: WeightMemory,
): Promise<void> {
  const { model } = source;
  const { keep, skip, finish, store } = await prepareGraph(source, model.json.modelTopology as Topology, rewriting);
  const values = new Map<string, Constant>();
  const isUnused = (name: string) => skip?.has(name) === true || !(needed.has(name) || keep?.has(name));
  const place = ({ name, shape, dtype }: WeightSpec) =>
    needed.has(name) && !keep?.has(name) ? memory.reserve?.(name, dtype, sizeOf(shape)) : undefined;
  const reading = { skip: isUnused, place };
  await readWeights(model.weightSpecs, source.weights(), reading, ({ name, shape, dtype }, data, isView) => {
    if (keep?.has(name)) values.set(name, { shape, dtype, values: isView ? data.slice() : data });
    if (needed.has(name)) memory.add(name, dtype, data);
  });
  const { constants } = finish(values);
  for (const [name, { values: data, dtype }] of constants) if (needed.has(name)) memory.add(name, dtype, data);
  store();
}
