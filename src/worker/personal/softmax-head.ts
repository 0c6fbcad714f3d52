// Trains the head of many examples: one softmax layer on embeddings, with tfjs, in steps between which predictions run.
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
  turns: Scheduler;
  signal: AbortSignal;
  /** `performance.now()` at which what is best is taken. */
  until: number;
  onProgress(progress: TrainingProgress): void;
}

// Adam's own defaults (Kingma & Ba 2015, arXiv 1412.6980) but for the rate, which suits inputs of variance 1.
const RATE = 0.02;
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
/** Of the weights' squares: with a handful of examples in a thousand dimensions any of them can be fitted. */
const DECAY = 5e-3;
// One read-back, and one look at the split that stops, for so many steps.
const STEPS_A_LOOK = 10;
const MOST_STEPS = 300;
/** Looks without a better loss before it ends. */
const PATIENCE = 5;
/** Where there are too few examples to spare any for stopping. */
const STEPS_UNWATCHED = 60;
// Of the loss; less is rounding.
const BETTER_BY = 1e-4;

/**
 * Multinomial logistic regression by full-batch Adam; classes weigh the same however many examples they have. A quarter of the samples tells when to
 * stop; then all are trained on for as many steps. The gradient is written out, since it is `x'(p - y)`: it needs forward kernels only, which
 * every backend has. Rejects with `aborted`, or as `Lease.run` does.
 */
export async function fitSoftmax(samples: Sample[], base: Head, bench: TrainingBackend): Promise<Head> {
  const scaled = standardize(samples, base.size);
  const classes = base.labels.length;
  const stops = stopSplit(samples.map((sample) => sample.class));
  const watched = stops.some(Boolean);
  let steps = STEPS_UNWATCHED;
  if (watched) {
    const shown = scaled.rows.filter((_, index) => !stops[index]);
    const held = scaled.rows.filter((_, index) => stops[index]);
    const half = (performance.now() + bench.until) / 2;
    steps = (await descend(shown, held, classes, base.size, MOST_STEPS, { ...bench, until: half })).steps;
  }
  const { layer } = await descend(scaled.rows, [], classes, base.size, steps, bench);
  return { ...base, kind: "softmax", ...unstandardize(layer, scaled, base.size) };
}

interface Descent {
  layer: Layer;
  steps: number;
}

async function descend(
  shown: Row[],
  held: Row[],
  classes: number,
  size: number,
  most: number,
  bench: TrainingBackend,
): Promise<Descent> {
  const { lease, turns, signal, until, onProgress } = bench;
  // What was begun is ended in a turn too, so that the backend is the one that has the tensors.
  const step = <T>(run: () => Promise<T>) => turns.runExclusive(() => lease.run(run), { priority: "low" });
  let state: State | undefined;
  try {
    state = await step(async () => createState(shown, held, classes, size));
    const mine = state;
    let best = { loss: Number.POSITIVE_INFINITY, steps: 0 };
    let done = 0;
    // At least one look, however late it is.
    while (done < most && (done === 0 || performance.now() < until)) {
      if (signal.aborted) throw new InsituError("aborted", "The training was aborted.", {});
      const count = Math.min(STEPS_A_LOOK, most - done);
      const loss = await step(() => look(mine, count, done));
      done += count;
      onProgress({ phase: "train", done, total: most, ...(held.length > 0 && { loss }) });
      if (held.length === 0 || loss < best.loss - BETTER_BY) best = { loss, steps: done };
      else if (done - best.steps >= PATIENCE * STEPS_A_LOOK) break;
    }
    const layer = await step(() => read(mine));
    return { layer, steps: Math.max(best.steps, STEPS_A_LOOK) };
  } finally {
    const { tensors } = state ?? {};
    // A device that died has taken them along.
    if (tensors) await step(async () => dispose(tensors as never)).catch(() => undefined);
  }
}

interface State {
  tensors: Record<
    "x" | "y" | "importance" | "heldX" | "heldY" | "heldImportance" | "w" | "b" | "mw" | "mb" | "vw" | "vb",
    Tensor
  >;
  isWatched: boolean;
}

function createState(shown: Row[], held: Row[], classes: number, size: number): State {
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
  const nothing = (...shape: [number, number]) => keep(tensor2d(new Float32Array(shape[0] * shape[1]), shape));
  return {
    isWatched: held.length > 0,
    tensors: {
      ...{ x: matrix(shown), y: targets(shown), importance: importance(shown, classes) },
      ...{ heldX: matrix(held), heldY: targets(held), heldImportance: importance(held, classes) },
      ...{ w: nothing(size, classes), mw: nothing(size, classes), vw: nothing(size, classes) },
      ...{ b: nothing(1, classes), mb: nothing(1, classes), vb: nothing(1, classes) },
    },
  };
}

/** What each row counts: all rows add up to 1, and so do those of each class to the same. */
function importance(rows: Row[], classes: number): Tensor2D {
  const counts = new Float32Array(classes);
  for (const row of rows) counts[row.class] = (counts[row.class] as number) + 1;
  const present = counts.filter((count) => count > 0).length;
  const values = Float32Array.from(rows, (row) => 1 / (present * (counts[row.class] as number)));
  return keep(tensor2d(rows.length > 0 ? values : new Float32Array(1), [Math.max(1, rows.length), 1]));
}

/** So many steps, then the loss on the split that stops; of the last step's own samples where there is none. */
async function look(state: State, count: number, done: number): Promise<number> {
  const { tensors } = state;
  for (let step = done + 1; step <= done + count; step += 1) {
    const fresh = tidy(() => advance(tensors, step));
    for (const name of ["w", "b", "mw", "mb", "vw", "vb"] as const) {
      tensors[name].dispose();
      tensors[name] = keep(fresh[name] as Tensor);
    }
  }
  const loss = tidy((): Scalar => {
    const [x, y, weight] = state.isWatched
      ? [tensors.heldX, tensors.heldY, tensors.heldImportance]
      : [tensors.x, tensors.y, tensors.importance];
    const p = predicted(x as Tensor, tensors);
    return neg(sum(mul(sum(mul(log(add(p, EPSILON)), y as Tensor), 1, true), weight as Tensor))) as Scalar;
  });
  try {
    return (await loss.data())[0] as number;
  } finally {
    loss.dispose();
  }
}

function predicted(x: Tensor, { w, b }: State["tensors"]): Tensor2D {
  return softmax(add(matMul(x as Tensor2D, w as Tensor2D), b)) as Tensor2D;
}

function advance(t: State["tensors"], step: number): Record<string, Tensor> {
  const error = mul(sub(predicted(t.x, t), t.y), t.importance) as Tensor2D;
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

/** Rows by class, as heads have them. */
async function read({ tensors }: State): Promise<Layer> {
  const rows = transpose(tensors.w);
  try {
    const [weights, bias] = await Promise.all([rows.data(), tensors.b.data()]);
    return { weights: Float32Array.from(weights), bias: Float32Array.from(bias) };
  } finally {
    rows.dispose();
  }
}
