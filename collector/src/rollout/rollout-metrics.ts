// The collector's metrics about decisions and drift, for `GET /metrics`; pure.
import type { DriftReport } from "../drift/drift-types.js";
import type { OwnMetric } from "../prometheus.js";
import type { Attributes } from "../records.js";
import type { Action, Decision } from "./decision-types.js";

const ACTIONS: readonly Action[] = ["hold", "promote", "rollback"];

/** Metrics of one name follow each other, as the text format needs it. */
export function rolloutMetrics(decisions: readonly Decision[], drift: readonly DriftReport[]): OwnMetric[] {
  return [
    ...decisions.flatMap((decision) =>
      ACTIONS.map((action) =>
        gauge(
          "rollout_action",
          "1 for what is decided about the candidate: hold, promote or rollback",
          [...versionOf(decision), ["action", action]],
          decision.action === action ? 1 : 0,
        ),
      ),
    ),
    ...EVIDENCE.flatMap(([name, help, read]) =>
      decisions.flatMap((decision) =>
        decision.evidence.map((one) => {
          const labels: Attributes = [...versionOf(decision), ["metric", one.metric], ["trusted", String(one.trusted)]];
          return gauge(name, help, labels, read(one));
        }),
      ),
    ),
    ...DRIFT.flatMap(([name, help, read]) =>
      drift.map((one) => {
        const labels: Attributes = [
          ["ml_model_name", one.model],
          ["ml_model_version", one.version],
          ["ml_rollout_arm", one.arm],
          ["target", one.target],
        ];
        return gauge(name, help, labels, read(one));
      }),
    ),
  ];
}

type Evidence = Decision["evidence"][number];

const EVIDENCE: readonly [name: string, help: string, read: (one: Evidence) => number][] = [
  [
    "rollout_difference",
    "The candidate's share minus the control's; of latency the ratio of means minus 1",
    (one) => one.difference,
  ],
  ["rollout_difference_low", "The lower bound of the difference, valid at every look", (one) => one.low],
  ["rollout_difference_high", "The upper bound of the difference, valid at every look", (one) => one.high],
  ["rollout_worse", "1 when the candidate is proved to be worse", (one) => (one.verdict === "worse" ? 1 : 0)],
];

const DRIFT: readonly [name: string, help: string, read: (one: DriftReport) => number][] = [
  ["drift_score", "The population stability index against the reference", (one) => one.psi],
  ["drift_threshold", "The threshold of the score for the number of values", (one) => one.threshold],
  ["drift_detected", "1 when the distribution has drifted", (one) => (one.isDrift ? 1 : 0)],
];

function versionOf({ model, control, candidate }: Decision): Attributes {
  return [
    ["ml_model_name", model],
    ["control", control.version],
    ["candidate", candidate?.version ?? ""],
  ];
}

function gauge(name: string, help: string, labels: Attributes, value: number): OwnMetric {
  return { name: `insitu_collector_${name}`, kind: "gauge", help: `${help}.`, labels, value };
}
