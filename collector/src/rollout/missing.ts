// Says what a judgement still lacks, figure by figure, in words that people read; pure.
import type { Evidence, Reason } from "./decision-types.js";
import type { Comparison } from "./stratified.js";

/** Values of each arm below which nothing is judged (Spinnaker's canary practice). */
export const MIN_VALUES = 50;
/** Senders and days of each arm below which pages' values are not judged: a variance of few clusters is too small. */
export const MIN_CLUSTERS = 10;

/** `bound`: the lower bound of the difference of accuracies, and what it must be over. */
export function missingOf(found: Comparison, minClusters: number, bound?: { low: number; need: number }): string[] {
  const missing = (["control", "candidate"] as const).flatMap((arm) => {
    const { size, clusters } = found[arm];
    return [
      ...(size < MIN_VALUES ? [`${arm} has ${Math.floor(size)} of ${MIN_VALUES} values`] : []),
      ...(clusters < minClusters ? [`${arm} has ${clusters} of ${minClusters} senders (each counts once a day)`] : []),
    ];
  });
  if (missing.length > 0 || !bound) return missing;
  return [`the difference may still be ${points(bound.low)} points; over ${points(bound.need)} is needed`];
}

/** Of a decision: what a promotion lacks. */
export function missingFor(reason: Reason, evidence: readonly Evidence[]): string[] {
  if (reason !== "not_enough" && reason !== "untrusted") return [];
  const accuracies = evidence.filter(({ metric }) => metric === "accuracy");
  const said = accuracies.flatMap(({ trusted, missing }) =>
    missing.map((one) => `Accuracy, ${trusted ? "trusted" : "pages"}: ${one}.`),
  );
  const isTold = accuracies.some(({ trusted }) => trusted);
  if (isTold) return said;
  return [...said, "No outcome has come with a trusted key (--trusted-key): only they can promote."];
}

/** Of infinite bounds the largest difference that there can be. */
const points = (difference: number) => {
  const value = Math.max(-1, Math.min(1, difference)) * 100;
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
};
