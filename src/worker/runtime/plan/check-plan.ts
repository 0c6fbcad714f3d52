// Checks a plan that someone else wrote, against the model's manifest and in itself, before any of its steps runs.
import { type At, refuse, under } from "../../../shared/json-fields.js";
import type { Manifest } from "../../../shared/types/manifest.js";
import { type Matrices, StepChecker, UnfitStep } from "./check-steps.js";
import type { StoredPlan, StoredTensor } from "./stored-plan.js";

export type { Matrices } from "./check-steps.js";

/**
 * `where` is the plan's address, for messages. `matrices` is one for all plans of a model. Throws `model_format` for a plan that is not of this
 * model, or of which a step could leave its tensors or take too long.
 */
export function checkPlan(
  plan: StoredPlan,
  manifest: Pick<Manifest, "inputs" | "outputs">,
  where: string,
  matrices: Matrices = new Map(),
): void {
  const root: At = { url: where, field: "" };
  checkInputs(plan, manifest, under(root, "inputs"));
  checkOutputs(plan, manifest, under(root, "outputs"));
  const checker = new StepChecker(plan, matrices);
  try {
    checker.check(plan);
  } catch (error) {
    if (error instanceof UnfitStep)
      refuse(under(under(root, "steps"), checker.step), `cannot be run: ${error.message}`);
    throw error;
  }
}

function checkInputs({ inputs, tensors }: StoredPlan, manifest: Pick<Manifest, "inputs">, at: At): void {
  if (inputs.length !== manifest.inputs.length)
    refuse(at, `has ${inputs.length} items, the model has ${manifest.inputs.length} inputs`);
  for (const [index, { name, dtype, shape }] of manifest.inputs.entries()) {
    const here = under(at, index);
    const given = inputs[index] as StoredPlan["inputs"][number];
    if (given.name !== name) refuse(here, `is ${given.name}, the model has ${name} there`);
    const tensor = tensors[given.tensor] as StoredTensor;
    if (tensor.dtype !== dtype) refuse(here, `is ${tensor.dtype}, the model takes ${dtype}`);
    if (tensor.weight !== undefined || tensor.data) refuse(here, "is a weight or a constant");
    if (!fits(given.shape, shape)) refuse(here, `has the shape [${given.shape}], the model takes [${shape}]`);
  }
}

function checkOutputs({ outputs, tensors, part }: StoredPlan, manifest: Pick<Manifest, "outputs">, at: At): void {
  const wanted = part === "run" ? manifest.outputs : undefined;
  const count = wanted?.length ?? 1;
  if (outputs.length !== count) refuse(at, `has ${outputs.length} items, ${count} are right`);
  for (const [index, { dtype, shape }] of (wanted ?? []).entries()) {
    const given = outputs[index] as StoredPlan["outputs"][number];
    const { dtype: found } = tensors[given.tensor] as StoredTensor;
    if (found !== dtype || !fits(given.shape, shape))
      refuse(under(at, index), `is ${found} [${given.shape}], the model gives ${dtype} [${shape}]`);
  }
}

/** -1 stands for any size. */
const fits = (given: number[], shape: number[]): boolean =>
  given.length === shape.length && shape.every((size, axis) => size === -1 || size === given[axis]);
