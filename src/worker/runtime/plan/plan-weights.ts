// Reads the weights that a model's plans need, as they arrive.
import { prepareGraph, type Rewriting, type Topology } from "../graph/prepare.js";
import type { Constant } from "../graph/types.js";
import { readWeights, type WeightValues } from "../read-weights.js";
import type { ModelSource } from "../session/engine.js";

/** Called with each weight; the values are valid until it returns. */
export type AddWeight = (name: string, dtype: Constant["dtype"], data: WeightValues | Constant["values"]) => void;

/** The names of the weights that plans need. */
export const neededBy = (plans: { tensors: { weight?: string }[] }[]): Set<string> =>
  new Set(plans.flatMap(({ tensors }) => tensors.flatMap(({ weight }) => weight ?? [])));

/** The weights of the rewritten graph. Throws what reading them throws. `rewriting` is called where no rewritten graph is stored. */
export async function readPlanWeights(
  source: ModelSource,
  needed: Set<string>,
  rewriting: () => Promise<Rewriting>,
  add: AddWeight,
): Promise<void> {
  const { model } = source;
  const { keep, skip, finish, store } = await prepareGraph(source, model.json.modelTopology as Topology, rewriting);
  const values = new Map<string, Constant>();
  const isUnused = (name: string) => skip?.has(name) === true || !(needed.has(name) || keep?.has(name));
  await readWeights(model.weightSpecs, source.weights(), { skip: isUnused }, ({ name, shape, dtype }, data, isView) => {
    if (keep?.has(name)) values.set(name, { shape, dtype, values: isView ? data.slice() : data });
    if (needed.has(name)) add(name, dtype, data);
  });
  const { constants } = finish(values);
  for (const [name, { values: data, dtype }] of constants) if (needed.has(name)) add(name, dtype, data);
  store();
}
