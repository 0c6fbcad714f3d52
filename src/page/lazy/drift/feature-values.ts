// Names the features of an input, and finds where a value lies in the reference profile; pure.

import type { InputSpec, ReferenceFeature, ReferenceProfile } from "../../../shared/types/manifest.js";

/** Values by the name of their feature; NaN where one is missing. */
export type FeatureValues = Record<string, number>;

const IMAGE = ["brightness", "contrast", "width", "height"];
const TENSOR = ["mean", "spread"];

/** `summaries`: what the worker computed of each input (`shared/summarise-input.ts`). */
export function nameFeatures(
  summaries: Record<string, number[]>,
  inputs: readonly InputSpec[],
  profile?: ReferenceProfile,
): FeatureValues {
  const values: FeatureValues = {};
  for (const { name, image } of inputs) {
    const summary = summaries[name];
    if (!summary) continue;
    const columns = image ? undefined : columnsOf(name, profile, summary.length - TENSOR.length);
    // An image may be passed as numbers, which have no size.
    const own = image ? IMAGE.slice(0, summary.length === IMAGE.length ? IMAGE.length : TENSOR.length) : TENSOR;
    const features = columns ?? own.map((feature) => `${name}.${feature}`);
    const numbers = columns ? summary.slice(TENSOR.length) : summary;
    for (const [i, feature] of features.entries()) values[feature] = numbers[i] ?? Number.NaN;
  }
  return values;
}

/** Names of the columns, where the profile has one for each. */
function columnsOf(name: string, profile: ReferenceProfile | undefined, count: number): string[] | undefined {
  const own = profile?.features.map((feature) => feature.name).filter((feature) => feature.startsWith(`${name}.`));
  const isTensor = TENSOR.every((feature, i) => own?.[i] === `${name}.${feature}`);
  return own?.length === count && !isTensor ? own : undefined;
}

/**
 * The share of the reference below `value`, 0 to 1. Of a value that many inputs have in common it is a random number between the shares
 * below and up to it. So inputs that are like the reference have each of 20 quantiles as often.
 */
export function quantileOf(value: number, { edges, low, high }: ReferenceFeature, random = Math.random): number {
  const bins = edges.length + 1;
  const below = edges.filter((edge) => edge < value).length;
  const upTo = edges.filter((edge) => edge <= value).length;
  if (below === upTo) {
    const from = edges[below - 1] ?? low;
    const to = edges[below] ?? high;
    const within = to > from ? Math.min(1, Math.max(0, (value - from) / (to - from))) : random();
    return Math.min(1, (below + within) / bins);
  }
  // The exact shares lie within a bin of these, which is all that the profile tells.
  const from = value <= low ? 0 : (below + 0.5) / bins;
  const to = value >= high ? 1 : (upTo + 0.5) / bins;
  return from + random() * (to - from);
}
