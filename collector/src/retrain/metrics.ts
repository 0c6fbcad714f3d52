// The metrics of retraining, for `GET /metrics`: runs by what fired them and how they ended, attempts, dead letters.
import type { OwnMetric } from "../prometheus.js";
import { isOpen, type RunState } from "./run.js";
import type { RunStore } from "./run-store.js";
import { TRIGGERS } from "./triggers.js";

/** Counts since the collector started. */
export interface RetrainCounts {
  attempts: Record<"ok" | "retry" | "refused", number>;
  failedChecks: number;
}

export const createCounts = (): RetrainCounts => ({ attempts: { ok: 0, retry: 0, refused: 0 }, failedChecks: 0 });

const ENDS: readonly RunState[] = ["done", "failed", "expired", "dead"];

export function retrainMetrics(models: readonly string[], store: RunStore, counts: RetrainCounts): OwnMetric[] {
  const metric = (
    name: string,
    kind: OwnMetric["kind"],
    help: string,
    value: number,
    labels: Record<string, string> = {},
  ): OwnMetric => ({
    name: `insitu_collector_retrain_${name}`,
    kind,
    help,
    value,
    labels: Object.entries(labels),
  });
  const each = <K extends string>(keys: readonly K[], make: (model: string, key: K) => OwnMetric) =>
    models.flatMap((model) => keys.map((key) => make(model, key)));
  const runs = new Map(models.map((model) => [model, store.runs(model)]));
  const of = (model: string) => runs.get(model) ?? [];
  return [
    ...each(TRIGGERS, (model, trigger) =>
      metric(
        "runs_total",
        "counter",
        "Retraining runs that were started, by the trigger that fired; the newest 1,000 of a model are kept.",
        of(model).filter((run) => run.trigger === trigger).length,
        { ml_model_name: model, trigger },
      ),
    ),
    ...each(ENDS, (model, state) =>
      metric(
        "ended_runs",
        "gauge",
        "Kept runs by how they ended; dead: the webhook could not be delivered.",
        of(model).filter((run) => run.state === state).length,
        { ml_model_name: model, state },
      ),
    ),
    ...models.map((model) =>
      metric("open_runs", "gauge", "Runs that have not ended.", of(model).filter(isOpen).length, {
        ml_model_name: model,
      }),
    ),
    ...models.map((model) =>
      metric(
        "last_failure_timestamp_seconds",
        "gauge",
        "When the newest run failed, expired or became a dead letter; 0 when it did not.",
        lastFailure(of(model)[0]),
        { ml_model_name: model },
      ),
    ),
    ...(["ok", "retry", "refused"] as const).map((result) =>
      metric(
        "attempts_total",
        "counter",
        "Attempts to deliver a webhook since the collector started.",
        counts.attempts[result],
        {
          result,
        },
      ),
    ),
    metric(
      "failed_checks_total",
      "counter",
      "Checks of triggers that failed since the collector started.",
      counts.failedChecks,
    ),
  ];
}

function lastFailure(run: ReturnType<RunStore["runs"]>[number] | undefined): number {
  return run && ENDS.includes(run.state) && run.state !== "done" ? run.changedAt / 1_000 : 0;
}
