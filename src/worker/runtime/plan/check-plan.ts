// Checks a plan that someone else wrote against the model's manifest, before any of its steps runs.
import { type At, refuse, under } from "../../../shared/json-fields.js";
import type { Manifest } from "../../../shared/types/manifest.js";
import type { StoredPlan, StoredTensor } from "./stored-plan.js";

/** `where` is its address, for messages. Throws `model_format` for a plan that is not of this model. */
export function checkPlan(plan: StoredPlan, manifest: Pick<Manifest, "inputs" | "outputs">, where: string): void {
  const root: At = { url: where, field: "" };
  const { inputs, outputs, tensors, part } = plan;
  if (inputs.length !== manifest.inputs.length)
    refuse(under(root, "inputs"), `has ${inputs.length} items, the model has ${manifest.inputs.length} inputs`);
  for (const [index, { name, dtype, shape }] of manifest.inputs.entries()) {
    const at = under(under(root, "inputs"), index);
    const given = inputs[index] as StoredPlan["inputs"][number];
    if (given.name !== name) refuse(at, `is ${given.name}, the model has ${name} there`);
    const tensor = tensors[given.tensor] as StoredTensor;
    if (tensor.dtype !== dtype) refuse(at, `is ${tensor.dtype}, the model takes ${dtype}`);
    if (tensor.weight !== undefined || tensor.data) refuse(at, "is a weight or a constant");
    const fits = given.shape.length === shape.length && shape.every((size, axis) => size === -1 || size === given.shape[axis]); // biome-ignore format: one line
    if (!fits) refuse(at, `has the shape [${given.shape}], the model takes [${shape}]`);
  }
  const wanted = part === "run" ? manifest.outputs.length : 1;
  if (outputs.length !== wanted) refuse(under(root, "outputs"), `has ${outputs.length} items, ${wanted} are right`);
}
