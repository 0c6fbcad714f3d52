// Measures the accuracy of personal models after 1, 2, 5, 10 and 20 examples per class, on images not used for training.
import { seeded } from "../models/digits/augment.js";
import { type Digit, heldOut, SIDE } from "../models/digits/data.js";
import { useWasm } from "../models/digits/wasm.js";
import { measureAccuracy } from "../src/worker/personal/evaluate.js";
import type { ExportedExample } from "../src/worker/personal/export-schema.js";
import { applyHead } from "../src/worker/personal/head.js";
import type { TrainingBackend } from "../src/worker/personal/softmax-head.js";
import { fitSoftmax } from "../src/worker/personal/softmax-head.js";
import { trainVersion } from "../src/worker/personal/training.js";
import type { Scheduler } from "../src/worker/runtime/scheduling/scheduler.js";
import type { Crop } from "./page/personal.js";

const SHOTS = [1, 2, 5, 10, 20] as const;
export const SEEDS = 20;

// ---- pictures ----------------------------------------------------------------------------------------------------

const SURFACES = ["brick", "grass", "gravel"] as const;
const PHOTO = 512;
const CROP = 128;
/** Number of crops of each half of each surface. */
const CROPS_A_HALF = 40;

/** Squares at random positions: training examples from the left half of each surface, test examples from the right half. */
export function surfaceCrops(seed: number): { learn: Crop[]; ask: Crop[] } {
  const random = seeded(seed);
  const half = (from: number) =>
    SURFACES.flatMap((label) =>
      Array.from({ length: CROPS_A_HALF }, () => ({
        photo: `texture-${label}`,
        label,
        x: from + Math.floor(random() * (PHOTO / 2 - CROP)),
        y: Math.floor(random() * (PHOTO - CROP)),
      })),
    );
  return { learn: half(0), ask: half(PHOTO / 2) };
}

/** Squares of photos that show none of the surfaces. */
export function otherCrops(seed: number): Crop[] {
  const random = seeded(seed);
  return ["coffee", "chelsea", "astronaut", "rocket"].flatMap((photo) =>
    Array.from({ length: 15 }, () => ({
      photo,
      label: "other",
      x: Math.floor(random() * 250),
      y: Math.floor(random() * 150),
    })),
  );
}

// ---- another writer ----------------------------------------------------------------------------------------------

const ROTATION = (35 * Math.PI) / 180;

/** Held-out digits, rotated and thickened to imitate another writer. */
export function writersDigits(perClass: number): Digit[] {
  const counts = new Map<number, number>();
  return heldOut()
    .filter(({ label }) => {
      const count = (counts.get(label) ?? 0) + 1;
      counts.set(label, count);
      return count <= perClass;
    })
    .map(({ pixels, label }) => ({ label, pixels: thicken(rotate(pixels)) }));
}

function rotate(pixels: Float32Array): Float32Array {
  const middle = (SIDE - 1) / 2;
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= SIDE || y >= SIDE ? 0 : (pixels[y * SIDE + x] as number);
  return Float32Array.from({ length: SIDE * SIDE }, (_, index) => {
    const [u, v] = [(index % SIDE) - middle, Math.floor(index / SIDE) - middle];
    const x = Math.cos(ROTATION) * u + Math.sin(ROTATION) * v + middle;
    const y = -Math.sin(ROTATION) * u + Math.cos(ROTATION) * v + middle;
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const upper = at(left, top) * (1 - x + left) + at(left + 1, top) * (x - left);
    const lower = at(left, top + 1) * (1 - x + left) + at(left + 1, top + 1) * (x - left);
    return upper * (1 - y + top) + lower * (y - top);
  });
}

/** Sets each pixel to the maximum of its 3 x 3 neighbourhood. */
function thicken(pixels: Float32Array): Float32Array {
  return pixels.map((_, index) => {
    let max = 0;
    for (const dy of [-SIDE, 0, SIDE]) for (const dx of [-1, 0, 1]) max = Math.max(max, pixels[index + dx + dy] ?? 0);
    return max;
  });
}

// ---- learning ----------------------------------------------------------------------------------------------------

export interface Score {
  shots: number;
  accuracy: Interval;
  /** Share of the known classes' examples that is called unknown, and of other images. */
  falseUnknown: number;
  trueUnknown?: number;
  /** Share of runs in which the softmax layer was the better head. */
  softmaxTaken: number;
}

export interface Interval {
  mean: number;
  /** Half the width of the 95 % confidence interval of the mean over seeds. */
  half: number;
}

// 97.5 % quantile of Student's t with 19 degrees of freedom.
const T19 = 2.093;

function intervalOf(values: number[]): Interval {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, half: T19 * Math.sqrt(variance / values.length) };
}

const scheduler = { runExclusive: (run: () => Promise<unknown>) => run() } as Scheduler;

/** Runs the library's own training on tfjs's wasm backend in Node, with embeddings computed in the page. */
export async function fewShot(
  learn: ExportedExample[],
  ask: ExportedExample[],
  other: ExportedExample[],
): Promise<Score[]> {
  await useWasm();
  const scores: Score[] = [];
  const labels = [...new Set(learn.map(({ label }) => label))];
  for (const shots of SHOTS) {
    const runs: { accuracy: number; falseUnknown: number; trueUnknown: number; softmax: number }[] = [];
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const random = seeded(1_000 * shots + seed);
      const chosen = labels.flatMap((label) =>
        shuffle(
          learn.filter((one) => one.label === label),
          random,
        ).slice(0, shots),
      );
      const examples = chosen.map((one, order) => ({ ...one, order, kept: false, bytes: 0, heldOut: undefined }));
      const { version } = await trainVersion({
        examples,
        embedder: "bench",
        base: { name: "bench", version: "1.0.0", release: 1, digest: "" },
        trigger: "asked",
        backend: trainingBackend(),
        training: async () => fitSoftmax,
      });
      const { head } = version;
      const unknown = (all: ExportedExample[]) =>
        all.filter(({ vector }) => applyHead(head, vector).distance > 1).length / Math.max(1, all.length);
      runs.push({
        accuracy: measureAccuracy(head, ask).accuracy ?? 0,
        falseUnknown: unknown(ask),
        trueUnknown: unknown(other),
        softmax: head.kind === "softmax" ? 1 : 0,
      });
    }
    const mean = (pick: (run: (typeof runs)[number]) => number) =>
      runs.reduce((sum, run) => sum + pick(run), 0) / runs.length;
    scores.push({
      shots,
      accuracy: intervalOf(runs.map(({ accuracy }) => accuracy)),
      falseUnknown: mean((run) => run.falseUnknown),
      ...(other.length > 0 && { trueUnknown: mean((run) => run.trueUnknown) }),
      softmaxTaken: mean((run) => run.softmax),
    });
  }
  return scores;
}

function trainingBackend(): TrainingBackend {
  return {
    lease: { target: { backend: "wasm" }, run: (step) => step(), end: () => undefined },
    scheduler,
    signal: new AbortController().signal,
    deadline: performance.now() + 60_000,
    onProgress: () => undefined,
  };
}

function shuffle<T>(items: T[], random: () => number): T[] {
  const all = [...items];
  for (let index = all.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [all[index], all[other]] = [all[other] as T, all[index] as T];
  }
  return all;
}
