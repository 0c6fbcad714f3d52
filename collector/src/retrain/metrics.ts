// The metrics of retraining, for `GET /metrics`: runs by what fired them and how they ended, attempts, dead letters.
import type { OwnMetric } from "../prometheus.js";
import { hasFailed, isOpen, type Run, type RunState } from "./run.js";
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
  const runs = models.map((model) => ({ model, runs: store.runs(model) }));
  return [...runMetrics(runs), ...countMetrics(counts)];
}

function metric(name: string, kind: OwnMetric["kind"], help: string, value: number, labels = {}): OwnMetric {
  return { name: `insitu_collector_retrain_${name}`, kind, help, value, labels: Object.entries(labels) };
}

type RunsOfModel = readonly { model: string; runs: readonly Run[] }[];

/** Each metric's samples stand together, as Prometheus wants them. */
function runMetrics(all: RunsOfModel): OwnMetric[] {
  const started = "Retraining runs that were started, by the trigger that fired; the newest 1,000 of a model are kept.";
  const ended = "Kept runs by how they ended; dead: the webhook could not be delivered.";
  const failed = "When the newest run failed, expired or became a dead letter; 0 when it did not.";
  const label = (model: string) => ({ ml_model_name: model });
  return [
    ...all.flatMap(({ model, runs }) =>
      TRIGGERS.map((trigger) => {
        const count = runs.filter((run) => run.trigger === trigger).length;
        return metric("runs_total", "counter", started, count, { ...label(model), trigger });
      }),
    ),
    ...all.flatMap(({ model, runs }) =>
      ENDS.map((state) => {
        const count = runs.filter((run) => run.state === state).length;
        return metric("ended_runs", "gauge", ended, count, { ...label(model), state });
      }),
    ),
    ...all.map(({ model, runs }) =>
      metric("open_runs", "gauge", "Runs that have not ended.", runs.filter(isOpen).length, label(model)),
    ),
    ...all.map(({ model, runs }) =>
      metric("last_failure_timestamp_seconds", "gauge", failed, lastFailure(runs[0]), label(model)),
    ),
  ];
}

function countMetrics({ attempts, failedChecks }: RetrainCounts): OwnMetric[] {
  const tried = "Attempts to deliver a webhook since the collector started.";
  const checks = "Checks of triggers that failed since the collector started.";
  return [
    ...(["ok", "retry", "refused"] as const).map((result) =>
      metric("attempts_total", "counter", tried, attempts[result], { result }),
    ),
    metric("failed_checks_total", "counter", checks, failedChecks),
  ];
}

function lastFailure(run: Run | undefined): number {
  return run && hasFailed(run) ? run.changedAt / 1_000 : 0;
}
