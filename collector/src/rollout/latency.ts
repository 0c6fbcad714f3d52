// Whether a candidate is slower than control, by a margin: by ranks of its durations' buckets, and by means; pure.
import type { Moments } from "../evidence/moments.js";
import { DURATION_BUCKETS, SECONDS_SUM } from "../evidence/subjects.js";
import { type Comparison, compareArms, type Stratum } from "./stratified.js";

export interface ArmRuns {
  control: Moments;
  candidate: Moments;
}

/**
 * The probability that a candidate's duration exceeds a control's that is longer by `margin`, minus one half: Mann-Whitney's statistic on
 * buckets, where a tie counts half, day by day (van Elteren 1960). `bounds` are the buckets' upper bounds.
 */
export function compareRanks(days: readonly ArmRuns[], bounds: readonly number[], margin: number): Comparison {
  const slower = scaling(bounds, 1 + margin);
  const strata = days.map(({ control, candidate }): Stratum => {
    const [own, other] = [durations(control), durations(candidate)];
    const scaled = other.map((_, to) => own.reduce((sum, count, from) => sum + count * (slower[from]?.[to] ?? 0), 0));
    const below = ranks(scaled);
    const above = ranks(other).map((rank) => 1 - rank);
    const after = own.map((_, from) => above.reduce((sum, one, to) => sum + one * (slower[from]?.[to] ?? 0), 0));
    return { control: [part(control, after)], candidate: [part(candidate, below)] };
  });
  const found = compareArms(strata, "rank");
  return { ...found, difference: found.candidate.value - 0.5 };
}

/** The logarithm of the ratio of mean durations. A histogram's sum is exact, where its buckets are coarse: they double. */
export function compareMeans(days: readonly ArmRuns[], bounds: readonly number[]): { log: number; error: number } {
  const seconds = counted(0).map((_, i) => (i === SECONDS_SUM ? 1 : 0));
  const of = (moments: Moments) => [{ moments, score: seconds, weight: counted(1) }];
  const { control, candidate } = compareArms(
    days.map((day) => ({ control: of(day.control), candidate: of(day.candidate) })),
    "none",
  );
  if (!(control.value > 0 && candidate.value > 0)) return { log: 0, error: Number.POSITIVE_INFINITY };
  const spread = (arm: keyof ArmRuns) =>
    bucketError(
      days.map((day) => durations(day[arm])),
      bounds,
    );
  const error = Math.hypot(
    Math.max(control.error, spread("control")) / control.value,
    Math.max(candidate.error, spread("candidate")) / candidate.value,
  );
  return { log: Math.log(candidate.value / control.value), error };
}

/** The standard error of a mean if all durations were independent, and in the middle of their buckets: the least that it can be. */
function bucketError(days: readonly (readonly number[])[], bounds: readonly number[]): number {
  let [n, sum, squares] = [0, 0, 0];
  for (const counts of days)
    for (const [i, count] of counts.entries()) {
      const low = bounds[i - 1] ?? 0;
      const middle = (low + (bounds[i] ?? 2 * low)) / 2;
      n += count;
      sum += count * middle;
      squares += count * middle * middle;
    }
  return n > 0 ? Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2) / n) : 0;
}

export const durations = ({ total }: Moments): number[] => total.slice(0, DURATION_BUCKETS);

/** One value for each bucket, and none for failures and seconds. */
const counted = (value: number) =>
  Array.from({ length: SECONDS_SUM + 1 }, (_, i) => (i < DURATION_BUCKETS ? value : 0));

/** Mean scores of durations. */
function part(moments: Moments, scores: readonly number[]) {
  return { moments, score: [...scores, 0, 0], weight: counted(1) };
}

/** The share of values below each bucket, those in it counted half. */
function ranks(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  return counts.map((count) => {
    const rank = all > 0 ? (below + count / 2) / all : 0.5;
    below += count;
    return rank;
  });
}

/** Which share of each bucket's values is in which bucket when all are multiplied: within a bucket they are spread evenly by their logarithm. */
function scaling(bounds: readonly number[], factor: number): number[][] {
  const last = bounds.length;
  return Array.from({ length: last + 1 }, (_, from) => {
    const row = new Array<number>(last + 1).fill(0);
    const high = bounds[from];
    // How low the first bucket reaches is not known: as far as the next ones do, by a factor of two.
    const low = bounds[from - 1] ?? (bounds[0] as number) / 2;
    if (high === undefined) row[last] = 1;
    else
      for (let to = from; to <= last; to += 1) {
        const [start, end] = [
          Math.max(low * factor, bounds[to - 1] ?? 0),
          Math.min(high * factor, bounds[to] ?? Number.POSITIVE_INFINITY),
        ];
        if (end > start) row[to] = Math.log(end / start) / Math.log(high / low);
      }
    return row;
  });
}
