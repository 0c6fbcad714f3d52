// Collects the results of every benchmark: lines for people, rows for JSON, counts of errors and missed targets.
import type { Ratio } from "./statistics.js";

/** The limit of a figure. */
export type Target = { atMost: number } | { atLeast: number };

export interface Report {
  /** Prints a line for people; to standard error if JSON goes to standard output. */
  say(line: string): void;
  row(row: Record<string, unknown>): void;
  /** Returns whether a figure meets its target, and counts a miss. A bare number is a maximum. */
  mark(target: Target | number | undefined, value: number): string;
  /** Adds an invalid row with its reason; the benchmark fails. */
  error(row: Record<string, unknown>, problem: unknown): void;
}

export interface ReportResult {
  rows: Record<string, unknown>[];
  missed: number;
  errors: number;
}

export function createReport(json: boolean): Report & ReportResult {
  const report: Report & ReportResult = {
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
      // An error from a page includes its stack; only the first line is reported.
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
