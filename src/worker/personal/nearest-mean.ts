// The head of the first examples: the nearest class mean, by cosine.
import type { Head, Sample } from "./head.js";
import { noveltyThresholds } from "./novelty.js";
import { addTo, dot, unit } from "./vector-math.js";

// Where no class has two examples, nothing tells how sure to be; a middle of what the search below finds.
const DEFAULT_TEMPERATURE = 0.1;
// From one that trusts any difference to one that trusts none; each is 1.3 times the last.
const TEMPERATURES = Array.from({ length: 24 }, (_, step) => 0.004 * 1.3 ** step);

/**
 * Class means of unit embeddings (Snell et al. 2017, arXiv 1703.05175, with cosine for their distance), and a softmax over the cosines whose
 * temperature has the least cross-entropy when each example is judged without itself.
 */
export function fitNearestMean(samples: Sample[], labels: string[], size: number): Head {
  const sums = sumsOf(samples, labels.length, size);
  const temperature = calibrate(samples, sums);
  const means = new Float32Array(labels.length * size);
  for (const [index, { sum }] of sums.entries()) means.set(unit(sum), index * size);
  return {
    kind: "nearest-mean",
    labels,
    size,
    weights: means.map((value) => value / temperature),
    bias: new Float32Array(labels.length),
    means,
    limits: noveltyThresholds(leaveOneOut(samples, sums), labels.length),
  };
}

export interface ClassSum {
  sum: Float32Array;
  count: number;
}

export function sumsOf(samples: Sample[], classes: number, size: number): ClassSum[] {
  const sums = Array.from({ length: classes }, () => ({ sum: new Float32Array(size), count: 0 }));
  for (const sample of samples) {
    const own = sums[sample.class] as ClassSum;
    addTo(own.sum, sample.vector);
    own.count += 1;
  }
  return sums;
}

/** The mean of its class without itself, of unit length; undefined where it is the only one. */
function othersMean({ vector, class: index }: Sample, sums: ClassSum[]): Float32Array | undefined {
  const { sum, count } = sums[index] as ClassSum;
  if (count < 2) return undefined;
  const rest = sum.slice();
  addTo(rest, vector, -1);
  return unit(rest);
}

/** Each example's distance to the mean of the others of its class. */
function leaveOneOut(samples: Sample[], sums: ClassSum[]): { class: number; distance: number }[] {
  return samples.flatMap((sample) => {
    const mean = othersMean(sample, sums);
    return mean ? [{ class: sample.class, distance: Math.max(0, 1 - dot(sample.vector, mean)) }] : [];
  });
}

function calibrate(samples: Sample[], sums: ClassSum[]): number {
  const means = sums.map(({ sum }) => unit(sum));
  const rows: { cosines: number[]; class: number }[] = [];
  for (const sample of samples) {
    const own = othersMean(sample, sums);
    if (!own) continue;
    const cosines = means.map((mean, index) => dot(sample.vector, index === sample.class ? own : mean));
    rows.push({ cosines, class: sample.class });
  }
  if (rows.length === 0) return DEFAULT_TEMPERATURE;
  let best = DEFAULT_TEMPERATURE;
  let least = Number.POSITIVE_INFINITY;
  for (const temperature of TEMPERATURES) {
    const loss = rows.reduce((sum, row) => sum + crossEntropy(row.cosines, row.class, temperature), 0);
    // Of two that are as good, the one that is less sure of itself.
    if (loss <= least) {
      least = loss;
      best = temperature;
    }
  }
  return best;
}

function crossEntropy(cosines: number[], truth: number, temperature: number): number {
  const largest = cosines.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = cosines.reduce((total, cosine) => total + Math.exp((cosine - largest) / temperature), 0);
  return Math.log(sum) - ((cosines[truth] as number) - largest) / temperature;
}
