// Finds the steps of a plan that the library's own kernels compute faster here, and as tfjs's do but for rounding.
import type { TensorData } from "../../../../shared/types/tensor.js";
import type { SelfTest } from "../../../package/self-test-files.js";
import { compareOutputs } from "../../session/verify-session.js";
import type { Plan } from "../plan.js";
import type { Binary } from "../start-binary.js";
import { isOutOfTable } from "../steps.js";
import { keyOfFeeds } from "../stored-plan.js";
import { viewOf } from "../wasm-module.js";
import { type OwnStep, ownCalls } from "./own-step.js";

type Feeds = Record<string, TensorData>;

export interface ChooseOptions {
  binary: Binary;
  plan: Plan;
  key: string;
  /** What the plan has computed. */
  feeds: Feeds;
  outputs: string[];
  make: (index: number, call: OwnStep["call"]) => OwnStep;
  selfTests: () => Promise<SelfTest[]>;
}

/**
 * Of a step's output, relative to its largest value. The kernels add the same products in another order, and round once where tfjs's round
 * twice: some 1e-7 each. A wrong one differs by 1e-2 or more.
 */
const STEP_TOLERANCE = 1e-5;
/** Of the model's outputs, as that of most self-tests. Those that a package's self-tests give are compared by these. */
const TOLERANCE = 1e-4;
/** Of outputs that amplify rounding: so many times what tfjs's move when the last bits of the inputs change, since each layer rounds. */
const MOVES = 4;
const MOST = 1e-2;
/** Time of one measurement: the clocks of pages tick in tenths of milliseconds. */
const BLOCK_MS = 1;
const BLOCKS = 3;
const MOST_BLOCKS = 6;
/** Of the whole plan, each way. */
const RUNS = 5;
const MOST_RUNS = 15;
/** A step is taken over where that saves this much. */
const GAIN = 0.97;
/** As long as a prediction may be delayed. */
const PIECE_MS = 6;

/** Each step takes as long as a run or two. The plan's own steps are as before between steps and at the end. */
export async function* choose(options: ChooseOptions): AsyncGenerator<void, OwnStep[]> {
  const { plan, make, key } = options;
  const made: OwnStep[] = [];
  let chosen: OwnStep[] = [];
  try {
    let started = performance.now();
    for (const [index, call] of ownCalls(plan)) {
      made.push(make(index, call));
      if (performance.now() - started < PIECE_MS) continue;
      yield;
      started = performance.now();
    }
    // Real inputs, and the same values in another order.
    let agreeing = new Set(made);
    for (const feeds of [options.feeds, changed(options.feeds, turned)]) {
      agreeing = compareSteps(options, agreeing, feeds);
      yield;
    }
    const faster = yield* fasterOf([...agreeing]);
    const tests = (await options.selfTests().catch(() => [])).filter(({ inputs }) => keyOfFeeds("run", inputs) === key);
    if (faster.length === 0 || !(yield* isRight(options, faster, tests)) || !(yield* isFasterPlan(options, faster)))
      return [];
    chosen = faster;
    releasePacked(options, chosen);
    return chosen;
  } finally {
    for (const step of made) if (!chosen.includes(step)) step.dispose();
  }
}

function changed(feeds: Feeds, change: (data: TensorData["data"]) => TensorData["data"]): Feeds {
  return Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, { ...feed, data: change(feed.data) }]));
}

const turned = (data: TensorData["data"]) => data.slice().reverse();

/** Changes floats in their last two bits or so, up, down, or not. */
const nudge = (data: TensorData["data"]) =>
  data instanceof Float32Array ? data.map((value, index) => value * (1 + ((index % 3) - 1) * 2 ** -22)) : data;

/** Runs with other steps, and puts back those of before. */
function withSteps<T>(plan: Plan, steps: Iterable<{ index: number; run: () => void }>, run: () => T): T {
  const before = plan.steps.slice();
  for (const step of steps) plan.steps[step.index] = step.run;
  try {
    return run();
  } finally {
    plan.steps.splice(0, before.length, ...before);
  }
}

/** Those whose outputs agree with tfjs's for what the plan gives them. */
function compareSteps({ binary, plan }: ChooseOptions, steps: Set<OwnStep>, feeds: Feeds): Set<OwnStep> {
  const right = new Set<OwnStep>();
  const both = [...steps].map((step) => {
    const { address, size, dtype } = plan.tensor(step.call.out);
    const compare = () => {
      step.before();
      const expected = viewOf(binary, dtype, address, size).slice();
      step.run();
      if (isNear(expected, viewOf(binary, dtype, address, size))) right.add(step);
    };
    return { index: step.index, run: compare };
  });
  try {
    withSteps(plan, both, () => plan.execute(feeds));
  } catch (error) {
    // The values in another order may stand for nothing; then they show nothing either.
    if (!isOutOfTable(error)) throw error;
    return steps;
  }
  return right;
}

function isNear(expected: ArrayLike<number>, actual: ArrayLike<number>): boolean {
  let scale = 0;
  for (let index = 0; index < expected.length; index += 1) scale = Math.max(scale, Math.abs(expected[index] as number));
  // False for NaN.
  if (!(scale < Number.POSITIVE_INFINITY)) return false;
  const limit = scale * STEP_TOLERANCE;
  for (let index = 0; index < expected.length; index += 1)
    if (!(Math.abs((expected[index] as number) - (actual[index] as number)) <= limit)) return false;
  return true;
}

/** Steps of one shape are measured once. */
async function* fasterOf(steps: OwnStep[]): AsyncGenerator<void, OwnStep[]> {
  const shapes = new Map<string, OwnStep[]>();
  for (const step of steps) {
    const shape = `${step.call.kernel} ${step.call.after} ${step.call.sides}`;
    shapes.set(shape, [...(shapes.get(shape) ?? []), step]);
  }
  const faster: OwnStep[] = [];
  for (const alike of shapes.values()) {
    const { before, run } = alike[0] as OwnStep;
    const times = { own: Number.POSITIVE_INFINITY, tfjs: Number.POSITIVE_INFINITY };
    const count = repetitions(before);
    yield;
    // What does not win may have been disturbed.
    for (let block = 0; block < BLOCKS || (block < MOST_BLOCKS && times.own >= GAIN * times.tfjs); block += 1) {
      times.tfjs = Math.min(times.tfjs, timeOf(before, count));
      times.own = Math.min(times.own, timeOf(run, count));
      yield;
    }
    if (times.own < GAIN * times.tfjs) faster.push(...alike);
  }
  return faster;
}

/** How often it runs in one block. */
function repetitions(run: () => void): number {
  for (let count = 1; ; count *= 2) if (timeOf(run, count) >= BLOCK_MS) return count;
}

function timeOf(run: () => void, count: number): number {
  const started = performance.now();
  for (let each = 0; each < count; each += 1) run();
  return performance.now() - started;
}

/** Whether the whole plan gives outputs like those of before: within the tolerance of the package's self-tests where they have its shape. */
async function* isRight(
  { plan, feeds, outputs }: ChooseOptions,
  steps: OwnStep[],
  tests: SelfTest[],
): AsyncGenerator<void, boolean> {
  // biome-ignore format: one line
  const compute = (inputs: Feeds) => {
    plan.execute(inputs);
    return Object.fromEntries(plan.read().map((output, index) => [outputs[index] ?? "embedding", output]));
  };
  for (const { inputs, outputs: expected, tolerance } of tests) {
    const actual = withSteps(plan, steps, () => compute(inputs));
    if (!compareOutputs(expected, actual, tolerance.wasm).agrees) return false;
    yield;
  }
  if (tests.length > 0) return true;
  const expected = compute(feeds);
  yield;
  const nudged = compute(changed(feeds, nudge));
  yield;
  const actual = withSteps(plan, steps, () => compute(feeds));
  return Object.entries(expected).every(([name, output]) => {
    const right = { [name]: { ...output, stride: 1, unstable: [] } };
    const moved = compareOutputs(right, nudged, 0).worst;
    return compareOutputs(right, actual, Math.min(Math.max(TOLERANCE, MOVES * moved), MOST)).agrees;
  });
}

/** Kernels that win alone may lose among others, which use the caches too. */
async function* isFasterPlan({ plan, feeds }: ChooseOptions, steps: OwnStep[]): AsyncGenerator<void, boolean> {
  const times = { own: Number.POSITIVE_INFINITY, tfjs: Number.POSITIVE_INFINITY };
  const count = repetitions(() => plan.execute(feeds));
  for (let run = 0; run < RUNS || (run < MOST_RUNS && times.own >= times.tfjs); run += 1) {
    times.tfjs = Math.min(
      times.tfjs,
      timeOf(() => plan.execute(feeds), count),
    );
    yield;
    times.own = Math.min(times.own, withSteps(plan, steps, () => timeOf(() => plan.execute(feeds), count))); // biome-ignore format: one line
    yield;
  }
  return times.own < times.tfjs;
}

/** What tfjs's kernels have packed of weights that they use no more. */
function releasePacked({ binary, plan }: ChooseOptions, steps: OwnStep[]): void {
  for (const { call } of steps) {
    const { id, size, address } = plan.tensor(call.weights);
    binary.tfjs.disposeData(id);
    binary.tfjs.registerTensor(id, size, address);
  }
}
