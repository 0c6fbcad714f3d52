// Plans that a stranger could write, each of which would leave its tensors, use a kernel wrongly or never end: all are refused, with the step.
import { expect, test } from "vitest";
import { checkPlan, type Matrices } from "../../../../../src/worker/runtime/plan/check-plan.js";
import { readPlan, writePlan } from "../../../../../src/worker/runtime/plan/plan-text.js";
import type { Arg, StoredPlan, StoredStep, StoredTensor } from "../../../../../src/worker/runtime/plan/stored-plan.js";
import { FIRST_ID } from "../../../../../src/worker/runtime/plan/wasm-module.js";
import { manifestOf } from "../../../../support/stored-plans.js";

const END = Number.POSITIVE_INFINITY;
const at = (tensor: number): Arg => ({ tensor });
const table = (...values: number[]): Arg => new Uint8Array(Int32Array.from(values).buffer);
const call = (name: string, ...args: Arg[]): StoredStep => ({ kind: "call", name, args });
const tensor = (size: number, more: Partial<StoredTensor> = {}): StoredTensor => ({ size, dtype: "float32", born: 0, dies: END, ...more }); // biome-ignore format: one line

/** The first tensor is the input, the last one the output. */
function planOf(tensors: StoredTensor[], ...steps: StoredStep[]): StoredPlan {
  const last = tensors.length - 1;
  const slot = (position: number) => ({ tensor: position, shape: [tensors[position]?.size as number] });
  return { part: "run", inputs: [{ name: "x", ...slot(0) }], outputs: [slot(last)], tensors, steps };
}

const relu = (from: number, to: number) => call("Relu", at(from), 0, at(to));
const product = (a: number[], b: number[], from: number, weights: number, to: number) =>
  call("BatchMatMul", at(from), table(...a), 3, at(weights), table(...b), 3, 0, 0, at(to));
const weight = { weight: "w" };
const copy = (from: number, to: number, length: number, count: number, toStride: number): StoredStep => ({
  kind: "copy",
  from: 0,
  to: 1,
  blocks: [{ from, to, length, count, fromStride: 0, toStride }],
});

function check(plan: StoredPlan, matrices?: Matrices): void {
  const again = readPlan(writePlan(plan), "a plan");
  checkPlan(again, manifestOf(again), "a plan", matrices);
}

test("a plan that keeps to its tensors passes", () => {
  check(planOf([tensor(4), tensor(4)], relu(0, 1)));
  check(planOf([tensor(4), tensor(4)], copy(0, 0, 2, 2, 2)));
  check(planOf([tensor(6), tensor(6, weight), tensor(4)], product([1, 2, 3], [1, 3, 2], 0, 1, 2)));
});

const HOSTILE: Record<string, [plan: StoredPlan, problem: RegExp]> = {
  "an output that is too small": [planOf([tensor(4), tensor(3)], relu(0, 1)), /do not fit each other/],
  "an output of narrower elements": [
    planOf([tensor(4), tensor(4, { dtype: "bool" })], relu(0, 1)),
    /argument 3 of Relu/,
  ],
  "an id in place of a tensor": [
    planOf([tensor(4), tensor(4)], call("Relu", FIRST_ID, 0, at(1))),
    /argument 1 of Relu/,
  ],
  "a tensor in place of a number": [
    planOf([tensor(4), tensor(4)], call("Relu", at(0), at(0), at(1))),
    /argument 2 of Relu/,
  ],
  "another dtype": [planOf([tensor(4), tensor(4)], call("Relu", at(0), 1, at(1))), /argument 2 of Relu/],
  "a function that is no kernel": [planOf([tensor(4), tensor(4)], call("free", at(0))), /free is no kernel of plans/],
  "a name of a prototype": [planOf([tensor(4), tensor(4)], call("constructor", at(0))), /constructor is no kernel/],
  "too few arguments": [planOf([tensor(4), tensor(4)], call("Relu", at(0), 0)), /Relu has 2 arguments/],
  "a weight that is written": [
    planOf([tensor(4), tensor(4, weight), tensor(4)], relu(0, 1), relu(1, 2)),
    /tensor 1 is a weight/,
  ],
  "a weight that is made anew": [
    planOf([tensor(4, {}), tensor(4, weight)], { kind: "renew", of: 1 }),
    /tensor 1 is a weight/,
  ],
  "a constant that is written": [
    planOf([tensor(1), tensor(1, { data: new Uint8Array(4) }), tensor(1)], relu(0, 1), relu(1, 2)),
    /tensor 1 is a weight or a constant/,
  ],
  "memory that nothing has written": [planOf([tensor(4), tensor(4), tensor(4)], relu(1, 2)), /tensor 1 is read before/],
  "an output that is never written": [planOf([tensor(4), tensor(4)]), /tensor 1 is read before/],
  "a tensor that is gone": [
    planOf([tensor(4), tensor(4, { dies: 1 }), tensor(4)], relu(0, 1), relu(1, 2)),
    /tensor 1 is not there/,
  ],
  "a tensor that is not there yet": [planOf([tensor(4), tensor(4, { born: 1 })], relu(0, 1)), /tensor 1 is not there/],
  "an output that does not live to the end": [
    planOf([tensor(4), tensor(4, { dies: 1 })], relu(0, 1)),
    /tensor 1 is not there/,
  ],
  "a copy beyond its source": [planOf([tensor(4), tensor(8)], copy(3, 0, 2, 1, 0)), /not in its tensors/],
  "a copy beyond its target": [planOf([tensor(8), tensor(4)], copy(0, 3, 2, 1, 0)), /not in its tensors/],
  "a copy of nothing, for ever": [planOf([tensor(4), tensor(4)], copy(0, 0, 0, 2 ** 52, 0)), /overlap/],
  "the same copy again and again": [planOf([tensor(4), tensor(4)], copy(0, 0, 4, 2 ** 40, 0)), /overlap/],
  "a shape with other sides": [
    planOf([tensor(4), tensor(4)], call("Transpose", at(0), table(2, 4), 2, 0, at(1), table(1, 0), 2)),
    /do not fit/,
  ],
  "axes that are no permutation": [
    planOf([tensor(4), tensor(4)], call("Transpose", at(0), table(2, 2), 2, 0, at(1), table(1, 1), 2)),
    /do not fit/,
  ],
  "a rank that is longer than its table": [
    planOf([tensor(4), tensor(4)], call("Add", at(0), table(4), 2 ** 29, at(0), table(4), 1, 0, at(1))),
    /do not fit/,
  ],
  "a negative side": [
    planOf([tensor(4), tensor(4)], call("Add", at(0), table(-4), 1, at(0), table(4), 1, 0, at(1))),
    /argument 2 of Add/,
  ],
  "a lookup without a check of its indices": [
    planOf([tensor(2, { dtype: "int32" }), tensor(8, weight), tensor(4)], gatherOf(0)),
    /argument 5 of Gather/,
  ],
  "a lookup with a check of larger limits": [
    planOf([tensor(2, { dtype: "int32" }), tensor(8, weight), tensor(4)], { kind: "bounds", of: 0, limits: [5] }, gatherOf(0)), // biome-ignore format: one line
    /do not fit/,
  ],
  "sorting what may be NaN": [
    planOf(
      [tensor(4), tensor(2), tensor(2, { dtype: "int32" })],
      call("TopK", at(0), table(4), 1, 0, 2, 1, at(1), at(2)),
    ),
    /argument 1 of TopK/,
  ],
  "the same weight with turned sides": [
    planOf(
      [tensor(6), tensor(6, weight), tensor(4), tensor(4), tensor(9)],
      product([1, 2, 3], [1, 3, 2], 0, 1, 2),
      relu(2, 3),
      product([1, 3, 2], [1, 2, 3], 0, 1, 4),
    ),
    /do not fit/,
  ],
  "a stride of nothing": [
    planOf([tensor(16), tensor(16)], call("AvgPool", at(0), 1, 4, 4, 1, 1, 0, 0, 0, 0, 0, 0, 1, at(1))),
    /do not fit/,
  ],
  "a window whose size overflows": [
    planOf([tensor(16), tensor(1)], call("AvgPool", at(0), 1, 4, 4, 2 ** 29, 2 ** 29, 0, 0, 0, 0, 1, 1, 1, at(1))),
    /do not fit/,
  ],
  "a variance that is larger than a stack": [
    planOf([tensor(65_537), tensor(65_537)], call("FusedBatchNorm", at(0), at(0), at(0), 0, 0, 1e-3, at(1))),
    /do not fit/,
  ],
  "more memory than a page has": [planOf([tensor(4), tensor(2 ** 27), tensor(2 ** 27), tensor(4)], relu(0, 3)), /more than 1073741824 bytes/], // biome-ignore format: one line
  "one tensor that is too large": [
    planOf([tensor(4), tensor(2 ** 28), tensor(4)], relu(0, 2)),
    /has 268435456 elements/,
  ],
  "a run that takes hours": [
    planOf([tensor(2 ** 26), tensor(2 ** 26)], ...Array.from({ length: 600 }, () => relu(0, 1))),
    /takes too long/,
  ],
  "too many steps": [
    planOf([tensor(4), tensor(4)], ...Array.from({ length: 16_385 }, () => relu(0, 1))),
    /16384 steps/,
  ],
  "too many tensors": [planOf([...Array.from({ length: 8_192 }, () => tensor(4)), tensor(4)], relu(0, 8_192)), /8192 tensors/], // biome-ignore format: one line
};

/** Two rows of two numbers out of a table of four. */
function gatherOf(indices: number): StoredStep {
  return call("Gather", at(1), 0, table(8, 8, 2), 3, at(indices), 1, table(4, 4, 2), at(2));
}

test.each(Object.entries(HOSTILE))("%s", (_, [plan, problem]) => {
  expect(() => check(plan)).toThrow(problem);
  expect(() => check(plan)).toThrow(expect.objectContaining({ code: "model_format" }));
});

test("a lookup with the limits of its table passes", () => {
  const tensors = [tensor(2, { dtype: "int32" }), tensor(8, weight), tensor(4)];
  check(planOf(tensors, { kind: "bounds", of: 0, limits: [4] }, gatherOf(0)));
});

test("all plans of a model use a weight with the same sides", () => {
  const matrices: Matrices = new Map();
  const one = planOf([tensor(6), tensor(6, weight), tensor(4)], product([1, 2, 3], [1, 3, 2], 0, 1, 2));
  const other = planOf([tensor(6), tensor(6, weight), tensor(9)], product([1, 3, 2], [1, 2, 3], 0, 1, 2));
  check(one, matrices);
  check(one, matrices);
  expect(() => check(other, matrices)).toThrow(/do not fit/);
  check(other);
});
