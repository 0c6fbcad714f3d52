// Calibration metrics: whether a model is right as often as its confidence says; pure. `truths` are 0 to 1, `confidences` 0 to 1, in the same order.

/** Mean squared error of the confidences (Brier 1950); NaN without values. */
export function brier(truths: readonly number[], confidences: readonly number[]): number {
  return mean(truths.map((truth, i) => ((confidences[i] as number) - truth) ** 2));
}

// As scikit-learn does for 64-bit floats: without it one mistake with confidence 1 would make the result infinite.
const CLIP = Number.EPSILON;

/** Mean negative log-likelihood in nats, confidences clipped to 2^-52 from 0 and 1; NaN without values. */
export function logLoss(truths: readonly number[], confidences: readonly number[]): number {
  return mean(
    truths.map((truth, i) => {
      const p = Math.min(1 - CLIP, Math.max(CLIP, confidences[i] as number));
      return -(truth * Math.log(p) + (1 - truth) * Math.log(1 - p));
    }),
  );
}

interface Gap {
  count: number;
  /** Absolute difference between mean truth and mean confidence. */
  gap: number;
}

/**
 * Expected calibration error over bins of equal width (Naeini et al. 2015; Guo et al. 2017): the mean gap between confidence and
 * truth, weighted by the bins' sizes. A bin holds (lower, upper], the first also 0. NaN without values.
 */
export function ece(truths: readonly number[], confidences: readonly number[], bins = 10): number {
  return weighted(equalWidth(truths, confidences, bins));
}

/** Maximum calibration error: the largest of those gaps; NaN without values. */
export function mce(truths: readonly number[], confidences: readonly number[], bins = 10): number {
  const gaps = equalWidth(truths, confidences, bins);
  return gaps.length === 0 ? Number.NaN : Math.max(...gaps.map(({ gap }) => gap));
}

/** Expected calibration error over bins of equal counts, as NannyML computes it: ordered by confidence, the last bin takes the remainder. */
export function eceEqualMass(truths: readonly number[], confidences: readonly number[], bins: number): number {
  const order = confidences.map((_, i) => i).sort((a, b) => (confidences[a] as number) - (confidences[b] as number));
  const width = Math.max(1, Math.floor(order.length / bins));
  const gaps: Gap[] = [];
  for (let bin = 0; bin < bins && bin * width < order.length; bin += 1) {
    const members = order.slice(bin * width, bin === bins - 1 ? undefined : (bin + 1) * width);
    gaps.push(gapOf(members, truths, confidences));
  }
  return weighted(gaps);
}

function equalWidth(truths: readonly number[], confidences: readonly number[], bins: number): Gap[] {
  const members: number[][] = Array.from({ length: bins }, () => []);
  for (const [i, p] of confidences.entries()) {
    // The bin's bounds are i / bins exactly; ceil(p * bins) may be off by one rounding error.
    let bin = Math.min(bins - 1, Math.max(0, Math.ceil(p * bins) - 1));
    if (bin > 0 && p <= bin / bins) bin -= 1;
    else if (bin < bins - 1 && p > (bin + 1) / bins) bin += 1;
    members[bin]?.push(i);
  }
  return members.filter(({ length }) => length > 0).map((each) => gapOf(each, truths, confidences));
}

function gapOf(members: number[], truths: readonly number[], confidences: readonly number[]): Gap {
  const of = (values: readonly number[]) => mean(members.map((i) => values[i] as number));
  return { count: members.length, gap: Math.abs(of(truths) - of(confidences)) };
}

function weighted(gaps: Gap[]): number {
  const all = gaps.reduce((sum, { count }) => sum + count, 0);
  return gaps.reduce((sum, { count, gap }) => sum + count * gap, 0) / all;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
