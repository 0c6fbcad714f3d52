// Trains the softmax head: one layer on embeddings, with tfjs, in steps between which predictions run.
import {
  add,
  dispose,
  div,
  keep,
  log,
  matMul,
  mul,
  neg,
  type Scalar,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tensor2d,
  tidy,
  transpose,
} from "@tensorflow/tfjs-core";
import { InsituError } from "../../shared/errors.js";
import type { TrainingProgress } from "../../shared/types/personal.js";
import type { Scheduler } from "../runtime/scheduling/scheduler.js";
import type { Lease } from "../runtime/session/engine.js";
import type { Head, Sample } from "./head.js";
import { stopSplit } from "./hold-out.js";
import { type Layer, type Row, standardize, unstandardize } from "./standardize.js";

export interface TrainingBackend {
  lease: Lease;
  scheduler: Scheduler;
  signal: AbortSignal;
  /** `performance.now()` at which the training ends with its best weights. */
  deadline: number;
  onProgress(progress: TrainingProgress): void;
}

// Adam's defaults (Kingma & Ba 2015, arXiv 1412.6980) except for the rate, which suits inputs of variance 1.
const RATE = 0.02;
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
/** Weight decay: without it a handful of examples in a thousand dimensions is overfitted. */
const DECAY = 5e-3;
// Each check of the loss costs a read-back.
const STEPS_PER_CHECK = 10;
const MAX_STEPS = 300;
/** Checks without a better loss before the training ends. */
const PATIENCE = 5;
/** Where there are too few examples to use some for early stopping. */
const STEPS_WITHOUT_STOP = 60;
// A smaller improvement of the loss is rounding.
const MIN_IMPROVEMENT = 1e-4;

export type FitSoftmax = (samples: Sample[], base: Head, backend: TrainingBackend) => Promise<Head>;

/**
 * Multinomial logistic regression by full-batch Adam (Kingma & Ba 2015); all classes have the same weight, however many examples they have. A
 * quarter of the samples decides when to stop; then all are trained on for as many steps. The gradient `x'(p - y)` is written out, so that it
 * needs only forward kernels, which every backend has. Rejects with `aborted`, or as `Lease.run` does.
 */
export async function fitSoftmax(samples: Sample[], base: Head, backend: TrainingBackend): Promise<Head> {
  const standardized = standardize(samples, base.size);
  const classes = base.labels.length;
  const stops = stopSplit(samples.map((sample) => sample.class));
  const isStoppedEarly = stops.some(Boolean);
  let steps = STEPS_WITHOUT_STOP;
  if (isStoppedEarly) {
    const trained = standardized.rows.filter((_, index) => !stops[index]);
    const stopping = standardized.rows.filter((_, index) => stops[index]);
    const half = (performance.now() + backend.deadline) / 2;
    const data = { trained, stopping, classes, size: base.size };
    steps = (await descend(data, MAX_STEPS, { ...backend, deadline: half })).steps;
  }
  const data = { trained: standardized.rows, stopping: [], classes, size: base.size };
  const { layer } = await descend(data, steps, backend);
  return { ...base, kind: "softmax", ...unstandardize(layer, standardized, base.size) };
}

interface DescentResult {
  layer: Layer;
  /** After how many steps the loss was best. */
  steps: number;
}

interface DescentData {
  trained: Row[];
  /** Rows whose loss decides when to stop; may be empty. */
  stopping: Row[];
  classes: number;
  size: number;
}

async function descend(data: DescentData, maxSteps: number, backend: TrainingBackend): Promise<DescentResult> {
  const { lease, scheduler, signal, deadline, onProgress } = backend;
  // Also the clean-up: only then the active tfjs backend is the one that has the tensors.
  const exclusively = <T>(run: () => Promise<T>) => scheduler.runExclusive(() => lease.run(run), { priority: "low" });
  const isStoppedEarly = data.stopping.length > 0;
  let state: State | undefined;
  try {
    const current = await exclusively(async () => createState(data));
    state = current;
    let best = { loss: Number.POSITIVE_INFINITY, steps: 0 };
    let done = 0;
    // At least one check, even after the deadline.
    while (done < maxSteps && (done === 0 || performance.now() < deadline)) {
      if (signal.aborted) throw new InsituError("aborted", "The training was aborted.");
      const count = Math.min(STEPS_PER_CHECK, maxSteps - done);
      const loss = await exclusively(() => runSteps(current, count, done));
      done += count;
      onProgress({ phase: "train", done, total: maxSteps, ...(isStoppedEarly && { loss }) });
      if (!isStoppedEarly || loss < best.loss - MIN_IMPROVEMENT) best = { loss, steps: done };
      else if (done - best.steps >= PATIENCE * STEPS_PER_CHECK) break;
    }
    const layer = await exclusively(() => readLayer(current));
    return { layer, steps: Math.max(best.steps, STEPS_PER_CHECK) };
  } finally {
    const { tensors } = state ?? {};
    // A lost device has freed them already.
    if (tensors) await exclusively(async () => dispose(tensors as never)).catch(() => undefined);
  }
}

/** `x`, `y`: inputs and one-hot classes; `m…`, `v…`: Adam's first and second moments of the weights `w` and the bias `b`. */
interface State {
  tensors: Record<
    "x" | "y" | "importance" | "stopX" | "stopY" | "stopImportance" | "w" | "b" | "mw" | "mb" | "vw" | "vb",
    Tensor
  >;
  isStoppedEarly: boolean;
}

function createState({ trained, stopping, classes, size }: DescentData): State {
  const matrix = (rows: Row[]) => {
    const values = new Float32Array(Math.max(1, rows.length) * size);
    for (const [index, row] of rows.entries()) values.set(row.values, index * size);
    return keep(tensor2d(values, [Math.max(1, rows.length), size]));
  };
  const targets = (rows: Row[]) => {
    const values = new Float32Array(Math.max(1, rows.length) * classes);
    for (const [index, row] of rows.entries()) values[index * classes + row.class] = 1;
    return keep(tensor2d(values, [Math.max(1, rows.length), classes]));
  };
  const zeros = (...shape: [number, number]) => keep(tensor2d(new Float32Array(shape[0] * shape[1]), shape));
  return {
    isStoppedEarly: stopping.length > 0,
    tensors: {
      x: matrix(trained),
      y: targets(trained),
      importance: importance(trained, classes),
      stopX: matrix(stopping),
      stopY: targets(stopping),
      stopImportance: importance(stopping, classes),
      w: zeros(size, classes),
      mw: zeros(size, classes),
      vw: zeros(size, classes),
      b: zeros(1, classes),
      mb: zeros(1, classes),
      vb: zeros(1, classes),
    },
  };
}

/** The weight of each row: all rows add up to 1, and the rows of each class to the same share. */
function importance(rows: Row[], classes: number): Tensor2D {
  const counts = new Float32Array(classes);
  for (const row of rows) counts[row.class] = (counts[row.class] as number) + 1;
  const present = counts.filter((count) => count > 0).length;
  const values = Float32Array.from(rows, (row) => 1 / (present * (counts[row.class] as number)));
  return keep(tensor2d(rows.length > 0 ? values : new Float32Array(1), [Math.max(1, rows.length), 1]));
}

/** Runs `count` steps. Returns the loss of the stopping rows afterwards, or of the trained rows where there are none. */
async function runSteps(state: State, count: number, done: number): Promise<number> {
  const { tensors } = state;
  for (let step = done + 1; step <= done + count; step += 1) {
    const fresh = tidy(() => advance(tensors, step));
    for (const name of ["w", "b", "mw", "mb", "vw", "vb"] as const) {
      tensors[name].dispose();
      tensors[name] = keep(fresh[name] as Tensor);
    }
  }
  const loss = tidy((): Scalar => {
    const [x, y, weight] = state.isStoppedEarly
      ? [tensors.stopX, tensors.stopY, tensors.stopImportance]
      : [tensors.x, tensors.y, tensors.importance];
    const p = probabilities(x as Tensor, tensors);
    return neg(sum(mul(sum(mul(log(add(p, EPSILON)), y as Tensor), 1, true), weight as Tensor))) as Scalar;
  });
  try {
    return (await loss.data())[0] as number;
  } finally {
    loss.dispose();
  }
}

function probabilities(x: Tensor, { w, b }: State["tensors"]): Tensor2D {
  return softmax(add(matMul(x as Tensor2D, w as Tensor2D), b)) as Tensor2D;
}

/** One step of Adam. */
function advance(t: State["tensors"], step: number): Record<string, Tensor> {
  const error = mul(sub(probabilities(t.x, t), t.y), t.importance) as Tensor2D;
  const gradient = { w: add(matMul(t.x as Tensor2D, error, true), mul(t.w, DECAY)), b: sum(error, 0, true) };
  const fresh: Record<string, Tensor> = {};
  for (const name of ["w", "b"] as const) {
    const g = gradient[name];
    const mean = add(mul(t[`m${name}`], BETA1), mul(g, 1 - BETA1));
    const squares = add(mul(t[`v${name}`], BETA2), mul(square(g), 1 - BETA2));
    const divisor = add(sqrt(div(squares, 1 - BETA2 ** step)), EPSILON);
    fresh[name] = sub(t[name], mul(div(mean, divisor), RATE / (1 - BETA1 ** step)));
    fresh[`m${name}`] = mean;
    fresh[`v${name}`] = squares;
  }
  return fresh;
}

/** Transposed, since a head has one row for each class. */
async function readLayer({ tensors }: State): Promise<Layer> {
  const rows = transpose(tensors.w);
  try {
    const [weights, bias] = await Promise.all([rows.data(), tensors.b.data()]);
    return { weights: Float32Array.from(weights), bias: Float32Array.from(bias) };
  } finally {
    rows.dispose();
  }
}
