// Fits the nearest-mean head: the class mean with the smallest cosine distance.
import type { Head, Sample } from "./head.js";
import { noveltyThresholds } from "./novelty.js";
import { addTo, dot, unit } from "./vector-math.js";

// Where no class has two examples the temperature cannot be measured; this is in the middle of what the search below finds.
const DEFAULT_TEMPERATURE = 0.1;
// From 0.004 to 1.7; each is 1.3 times the last.
const TEMPERATURES = Array.from({ length: 24 }, (_, step) => 0.004 * 1.3 ** step);

/**
 * Class means of unit embeddings (Snell et al. 2017, "Prototypical Networks for Few-shot Learning", arXiv 1703.05175, with the cosine distance),
 * and a softmax over the cosines. Its temperature has the smallest cross-entropy under leave-one-out cross-validation.
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
    limits: noveltyThresholds(leaveOneOut(samples, sums), labels.length, nearestOthers(samples, sums)),
  };
}

interface ClassSum {
  sum: Float32Array;
  count: number;
}

function sumsOf(samples: Sample[], classes: number, size: number): ClassSum[] {
  const sums = Array.from({ length: classes }, () => ({ sum: new Float32Array(size), count: 0 }));
  for (const sample of samples) {
    const own = sums[sample.class] as ClassSum;
    addTo(own.sum, sample.vector);
    own.count += 1;
  }
  return sums;
}

/** The mean of the other samples of its class, of unit length; undefined where there is no other. */
function othersMean({ vector, class: index }: Sample, sums: ClassSum[]): Float32Array | undefined {
  const { sum, count } = sums[index] as ClassSum;
  if (count < 2) return undefined;
  const rest = sum.slice();
  addTo(rest, vector, -1);
  return unit(rest);
}

/** Distance of each sample to the mean of the other samples of its class. */
function leaveOneOut(samples: Sample[], sums: ClassSum[]): { class: number; distance: number }[] {
  return samples.flatMap((sample) => {
    const mean = othersMean(sample, sums);
    return mean ? [{ class: sample.class, distance: Math.max(0, 1 - dot(sample.vector, mean)) }] : [];
  });
}

/** For each class the distance of the nearest sample of another class to its mean; 0 where there is none. */
function nearestOthers(samples: Sample[], sums: ClassSum[]): number[] {
  return sums.map(({ sum }, index) => {
    const mean = unit(sum);
    const others = samples.filter((one) => one.class !== index);
    return others.length > 0 ? Math.min(...others.map(({ vector }) => 1 - dot(vector, mean))) : 0;
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
  let smallest = Number.POSITIVE_INFINITY;
  for (const temperature of TEMPERATURES) {
    const loss = rows.reduce((sum, row) => sum + crossEntropy(row.cosines, row.class, temperature), 0);
    // Of two that are equally good, the one with less confident scores.
    if (loss <= smallest) {
      smallest = loss;
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
