// The Mann-Whitney U test of two samples, raw or in bins, with the correction for ties; pure.
import { normalTail } from "./distributions.js";

export interface MannWhitney {
  /** Pairs in which the first sample's value is larger; a tie counts half. */
  u: number;
  /** The probability that a value of the first sample exceeds one of the second; a tie counts half. */
  superiority: number;
  /** Two-sided, by the normal approximation with correction for ties and continuity. */
  p: number;
}

/** Of raw values. */
export function mannWhitney(a: readonly number[], b: readonly number[]): MannWhitney {
  const values = [...new Set([...a, ...b])].sort((one, other) => one - other);
  const place = new Map(values.map((value, i) => [value, i]));
  const count = (sample: readonly number[]) => {
    const counts = new Array<number>(values.length).fill(0);
    for (const value of sample) counts[place.get(value) as number] = (counts[place.get(value) as number] ?? 0) + 1;
    return counts;
  };
  return binnedMannWhitney(count(a), count(b));
}

/** Of counts in the same bins, in increasing order: values in one bin are ties. */
export function binnedMannWhitney(a: readonly number[], b: readonly number[]): MannWhitney {
  const [n, m] = [sumOf(a), sumOf(b)];
  const all = n + m;
  let [u, below, ties] = [0, 0, 0];
  for (const [i, count] of a.entries()) {
    const other = b[i] ?? 0;
    u += count * (below + other / 2);
    below += other;
    ties += (count + other) ** 3 - (count + other);
  }
  const variance = ((n * m) / 12) * (all + 1 - ties / (all * (all - 1)));
  const distance = Math.abs(u - (n * m) / 2);
  const p = variance > 0 ? Math.min(1, 2 * normalTail((distance - 0.5) / Math.sqrt(variance))) : 1;
  return { u, superiority: n * m > 0 ? u / (n * m) : 0.5, p };
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
