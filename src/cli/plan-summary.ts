// What is printed of a plan: what it is for, its kernels, and the memory that it needs beside the weights.
import { layOut } from "../worker/runtime/plan/layout.js";
import type { Part } from "../worker/runtime/plan/steps.js";
import type { StoredPlan } from "../worker/runtime/plan/stored-plan.js";

export interface PlanSummary {
  path: string;
  part: Part;
  /** Shapes of the inputs. */
  inputs: Record<string, number[]>;
  steps: number;
  /** How often each kernel is called, the most frequent first; what is not a kernel is in brackets. */
  kernels: Record<string, number>;
  /** Memory of a run. */
  bytes: number;
}

export function summaryOf(path: string, { part, inputs, tensors, steps }: StoredPlan): PlanSummary {
  const counts = new Map<string, number>();
  for (const step of steps) {
    const name = step.kind === "call" ? step.name : `(${step.kind})`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const own = tensors.map((tensor, id) => ({ ...tensor, id })).filter(({ weight, data }) => weight === undefined && !data); // biome-ignore format: one line
  const constants = tensors.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  return {
    path,
    part,
    inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    steps: steps.length,
    kernels: Object.fromEntries([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))),
    bytes: layOut(own).bytes + constants,
  };
}

export const shapesText = (inputs: Record<string, number[]>): string =>
  Object.entries(inputs)
    .map(([name, shape]) => `${name} [${shape.join(", ")}]`)
    .join(", ");

export function planText({ path, part, inputs, steps, kernels, bytes }: PlanSummary): string {
  const what = part === "run" ? "outputs" : "embedding";
  const calls = Object.entries(kernels).map(([name, count]) => `${name} ${count}`);
  return `${path}, the ${what} for ${shapesText(inputs)}: ${steps} steps (${calls.join(", ")}), ${bytes} bytes of memory`;
}
