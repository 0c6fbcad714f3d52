// What every part of the benchmark reports with: a line for people, a row for the JSON, a count of what went wrong.
import type { Ratio } from "./statistics.js";

/** What a figure must keep to. */
export type Target = { atMost: number } | { atLeast: number };

export interface Report {
  /** For people; on standard error where JSON goes to standard output. */
  say(line: string): void;
  row(row: Record<string, unknown>): void;
  /** Says whether a figure keeps to its target, and remembers a miss. A bare number is the most it may be. */
  mark(target: Target | number | undefined, value: number): string;
  /** A row that is worth nothing, and why: the benchmark fails. */
  error(row: Record<string, unknown>, problem: unknown): void;
}

export interface Reported {
  rows: Record<string, unknown>[];
  missed: number;
  errors: number;
}

export function createReport(json: boolean): Report & Reported {
  const report: Report & Reported = {
    rows: [],
    missed: 0,
    errors: 0,
    say: (line) => (json ? console.error(line) : console.log(line)),
    row: (row) => void report.rows.push(row),
    mark(target, value) {
      if (target === undefined) return "(reported)";
      const limit = typeof target === "number" ? { atMost: target } : target;
      const met = "atMost" in limit ? value <= limit.atMost : value >= limit.atLeast;
      const words = "atMost" in limit ? `at most ${limit.atMost}` : `at least ${limit.atLeast}`;
      if (met) return `${words}: met`;
      report.missed += 1;
      return `${words}: MISSED`;
    },
    error(row, problem) {
      // What a page throws comes with its stack.
      const [error = ""] = (problem instanceof Error ? problem.message : String(problem)).split("\n");
      report.errors += 1;
      report.say(`  ERROR ${error}`);
      report.row({ ...row, error });
    },
  };
  return report;
}

export const interval = ({ value, low, high }: Ratio): string =>
  `${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
