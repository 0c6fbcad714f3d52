// Which models the sections of rollouts and drift offer; pure.
import type { Report } from "../../src/report-types.js";
import type { Rollouts } from "./data.js";

/** The busiest first: of those that the report shows, and those that the collector was asked about. */
export function modelsIn(report: Report, rollouts: Rollouts): string[] {
  const counts = new Map<string, number>();
  for (const { model, predictions } of report.arms) counts.set(model, (counts.get(model) ?? 0) + predictions);
  const known = [...rollouts.decisions].filter(([, { data }]) => data !== null).map(([model]) => model);
  const named = [...report.decisions, ...report.shadows].map(({ model }) => model);
  const all = report.models.map(({ name }) => name);
  return [...new Set([...counts.keys(), ...known, ...named, ...all])].sort(
    (a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || (a < b ? -1 : 1),
  );
}
