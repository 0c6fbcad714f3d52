// Puts stored evidence together as days of two arms, for the judgement; pure.
import { emptyMoments, fromSums, type Moments } from "../evidence/moments.js";
import type { EvidenceSums } from "../evidence/rows.js";
import { SUBJECTS } from "../evidence/subjects.js";
import type { Day, Outcomes } from "./judge.js";
import type { Roles } from "./roles.js";

export function daysOf(rows: readonly EvidenceSums[], { control, candidate }: Roles): Day[] {
  const slots = [...new Set(rows.map(({ slot }) => slot))].sort((a, b) => a - b);
  return slots.map((slot) => {
    const day = rows.filter((row) => row.slot === slot);
    const of = (arm: Roles["candidate"], subject: keyof typeof SUBJECTS, trusted = false) =>
      day.filter(
        ({ cell }) =>
          cell.version === arm?.version && cell.arm === arm.arm && cell.subject === subject && cell.trusted === trusted,
      );
    const moments = ({ cell, sums }: EvidenceSums) => fromSums(sums, SUBJECTS[cell.subject].size);
    const outcomes = (arm: Roles["candidate"], trusted: boolean): Outcomes =>
      of(arm, "outcomes", trusted).map((row) => ({
        ...(row.cell.detail !== "" && { epsilon: Number(row.cell.detail) }),
        moments: moments(row),
      }));
    const one = (arm: Roles["candidate"], subject: "runs" | "shadow"): Moments =>
      of(arm, subject).map(moments)[0] ?? emptyMoments(SUBJECTS[subject].size);
    const both = (trusted: boolean) => ({
      control: outcomes(control, trusted),
      candidate: outcomes(candidate, trusted),
    });
    return {
      trusted: both(true),
      outcomes: both(false),
      runs: { control: one(control, "runs"), candidate: one(candidate, "runs") },
      ...(candidate?.arm === "shadow" && { shadow: one(candidate, "shadow") }),
    };
  });
}

/** Predictions, and of a shadow comparisons, that were counted. */
export function countOf(rows: readonly EvidenceSums[], arm: Roles["candidate"]): number {
  const subject = arm?.arm === "shadow" ? "shadow" : "runs";
  return rows
    .filter(({ cell }) => cell.version === arm?.version && cell.arm === arm.arm && cell.subject === subject)
    .reduce((sum, { sums }) => sum + countedOf(sums, SUBJECTS[subject].counted), 0);
}

const countedOf = (sums: readonly number[], counted: number) =>
  sums.slice(1, 1 + counted).reduce((sum, count) => sum + count, 0);
