// Compares two arms day by day, and combines the days: what changes with time, or with the weights of the arms, changes both; pure.
import { type Moments, squareSum } from "../evidence/moments.js";

/** What one arm's senders reported, and how a mean follows: the sum of `score` times counts, over the sum of `weight` times counts. */
export interface Part {
  moments: Moments;
  score: readonly number[];
  weight: readonly number[];
}

export interface Stratum {
  control: readonly Part[];
  candidate: readonly Part[];
}

/** A mean over all days with its standard error. */
export interface Side {
  /** Values; of randomised ones the number of plain ones that say as much. */
  size: number;
  clusters: number;
  value: number;
  error: number;
}

export interface Comparison {
  control: Side;
  candidate: Side;
  /** The candidate's mean minus the control's. */
  difference: number;
  error: number;
}

/**
 * The least variance of a mean. `share`: the binomial one with one success and one failure more, since 50 of 50 do not prove 100 % (Agresti and
 * Caffo 2000), or that of independent values. `rank`: that of ranks without ties. `none`: of sums that are no counts (seconds).
 */
export type Floor = "none" | "rank" | "share";

const RANK_VARIANCE = 1 / 12;

/**
 * The difference of means, by Mantel and Haenszel's weights of days; days on which one arm has nothing weigh nothing. Its variance is that of
 * the clusters, or the one of independent values where that is larger.
 */
export function compareArms(strata: readonly Stratum[], floor: Floor): Comparison {
  const days = strata.flatMap(({ control, candidate }) => {
    const [a, b] = [sizeOf(control), sizeOf(candidate)];
    return a > 0 && b > 0 ? [{ control, candidate, weight: (a * b) / (a + b) }] : [];
  });
  const side = (pick: (day: Stratum) => readonly Part[]) =>
    sideOf(
      days.map((day) => ({ parts: pick(day), weight: day.weight })),
      floor,
    );
  const control = side((day) => day.control);
  const candidate = side((day) => day.candidate);
  const difference = candidate.value - control.value;
  return { control, candidate, difference, error: Math.hypot(control.error, candidate.error) };
}

interface Day {
  parts: readonly Part[];
  weight: number;
}

function sideOf(days: readonly Day[], floor: Floor): Side {
  const all = days.flatMap(({ parts }) => parts);
  const size = sizeOf(all);
  const clusters = all.reduce((sum, { moments }) => sum + moments.clusters, 0);
  if (size === 0) return { size: 0, clusters: 0, value: 0, error: Number.POSITIVE_INFINITY };
  const weights = days.reduce((sum, { weight }) => sum + weight, 0);
  const value = days.reduce((sum, { parts, weight }) => sum + (weight / weights) * meanOf(parts), 0);
  // Residuals from the mean of all days: from a day's own mean those of a day with few values would be too small.
  const centre = meanOf(all);
  const inner = Math.min(1, Math.max(0, (centre * size + 1) / (size + 2)));
  let [clustered, independent, values] = [0, 0, 0];
  for (const { parts, weight } of days) {
    const scale = (weight / weights / sizeOf(parts)) ** 2;
    for (const { moments, score, weight: unit } of parts) {
      const coefficients = score.map((one, i) => one - centre * (unit[i] ?? 0));
      clustered += scale * squareSum(moments, coefficients);
      const squares = coefficients.map((one) => one * one);
      independent += scale * dot(squares, moments.total);
    }
    values += scale * sizeOf(parts);
  }
  const corrected = clusters > 1 ? (clustered * clusters) / (clusters - 1) : 0;
  const floors = { none: 0, rank: values * RANK_VARIANCE, share: Math.max(independent, values * inner * (1 - inner)) };
  const variance = Math.max(corrected, floors[floor]);
  return { size, clusters, value, error: clusters > 1 ? Math.sqrt(variance) : Number.POSITIVE_INFINITY };
}

/** Loops, not `reduce`: a decision is made anew after each hour's reports, of up to 90 days, and this is most of its time. */
function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] ?? 0);
  return sum;
}

function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { moments, weight }) => sum + dot(weight, moments.total), 0);
}

function meanOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { moments, score }) => sum + dot(score, moments.total), 0) / sizeOf(parts);
}
