// What every part of the benchmark reports with: a line for people, a row for the JSON, a count of missed targets.
export interface Report {
  /** For people; on standard error where JSON goes to standard output. */
  say(line: string): void;
  row(row: Record<string, unknown>): void;
  /** Says whether a figure keeps to its target, and remembers a miss. */
  mark(target: number | undefined, value: number): string;
}

export interface Reported {
  rows: Record<string, unknown>[];
  missed: number;
}

export function createReport(json: boolean): Report & Reported {
  const report: Report & Reported = {
    rows: [],
    missed: 0,
    say: (line) => (json ? console.error(line) : console.log(line)),
    row: (row) => void report.rows.push(row),
    mark(target, value) {
      if (target === undefined) return "(reported)";
      if (value <= target) return `at most ${target}: met`;
      report.missed += 1;
      return `at most ${target}: MISSED`;
    },
  };
  return report;
}
