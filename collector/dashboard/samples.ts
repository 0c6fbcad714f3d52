// Marks percentiles of few values, which say little more than the largest of them.
import { count } from "./format.js";

/** Fewer values have no value above their p95. */
const FEW_SAMPLES = 20;

export const FEW_NOTE = `Few: fewer than ${FEW_SAMPLES} values, whose p95 and p99 are about the largest of them.`;

export const isFew = (samples: number): boolean => samples < FEW_SAMPLES;

/** The number of values in a table. */
export function samplesCell(samples: number): { text: string; value: number } {
  return { text: isFew(samples) ? `${count(samples)}, few` : count(samples), value: samples };
}
