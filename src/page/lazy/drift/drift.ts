// Watches one model for drift: confidences, errors and inputs in, events and statistics out.

import type { ModelInfo } from "../../../shared/types/model.js";
import type { ArmRole } from "../../../shared/types/rollout.js";
import { createTable } from "../../lib/idb-table.js";
import type { MonitoredVersion } from "../monitor/types.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import { judgeEstimate, judgeLabels, limitsOf } from "./degraded.js";
import { createDriftLog, type DriftRow, type VersionFinding, type VersionRow } from "./drift-log.js";
import { createInputStatistics } from "./input-statistics.js";
import { createTargetMonitor } from "./target-monitor.js";
import type { DegradedEvent, DriftEvent, DriftState, DriftTarget, InputFeatureState, MonitorLimits } from "./types.js";

export interface DriftDeps {
  /** Kept up to date by a swap of versions. */
  info: ModelInfo;
  storeName: string;
  limits?: MonitorLimits;
  record(record: TelemetryRecord): void;
  /** Accuracy by version and arm. */
  report(): MonitoredVersion[];
  emit(type: "drift" | "degraded", detail: DriftEvent | DegradedEvent): void;
}

export interface PredictedOutcome {
  version: string;
  arm: string;
  confidence?: number;
  time: number;
}

export interface Drift {
  /** Whether the worker should summarise the input of the next prediction. */
  wantsInput(): boolean;
  predicted(outcome: PredictedOutcome, summaries?: Record<string, number[]>): void;
  /** Takes the record of feedback that is new; others are ignored. */
  labelled(record: TelemetryRecord): void;
  snapshot(): { drift: DriftState[]; inputs: InputFeatureState[] };
  clear(): Promise<void>;
  /** Writes what is new, and ends. */
  close(): Promise<void>;
}

// A burst of predictions is passed to the detectors in one transaction, and in no prediction's way.
const SETTLE_MS = 1_000;

/** Reads what earlier visits left at once. */
export function createDrift(deps: DriftDeps): Drift {
  const { info } = deps;
  const log = createDriftLog(info.name, createTable<DriftRow>(`${deps.storeName}-drift`));
  const inputs = createInputStatistics();
  let versions: VersionRow[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> = Promise.resolve();

  const settleOnce = async () => {
    const settled = await log.settle();
    versions = settled.versions;
    for (const finding of settled.findings) announce(deps, finding);
    for (const { row, degraded } of judge(deps, versions)) await log.setDegraded(row, degraded);
  };
  /** One after the other: each reads what the one before wrote. */
  const settle = () => {
    clearTimeout(timer);
    timer = undefined;
    running = running.then(settleOnce).catch(() => undefined);
    return running;
  };
  const settleSoon = () => {
    timer ??= setTimeout(() => void settle(), SETTLE_MS);
  };
  const add = (version: string, arm: string, target: DriftTarget, value: number, time: number) => {
    log.add({ version, arm: arm as ArmRole, target, value, time });
    settleSoon();
  };
  const onHide = () => {
    if (document.visibilityState === "hidden") log.journal();
  };
  globalThis.document?.addEventListener("visibilitychange", onHide);
  void settle();

  return {
    wantsInput: () => inputs.isDue(info.backend),
    predicted({ version, arm, confidence, time }, summaries) {
      if (confidence !== undefined) add(version, arm, "confidence", 1 - confidence, time);
      const found = summaries && inputs.add(summaries, info);
      if (found) deps.record({ kind: "inputs", model: { ...info }, arm: arm as ArmRole, ...found });
    },
    labelled(record) {
      if (record.kind !== "feedback") return;
      add(record.model.version, record.arm, "error", record.correct ? 0 : 1, Date.now());
    },
    snapshot: () => ({ drift: versions.map((row) => stateOf(row, info.name)), inputs: inputs.state() }),
    async clear() {
      inputs.clear();
      await running;
      await log.clear();
      versions = [];
    },
    async close() {
      globalThis.document?.removeEventListener("visibilitychange", onHide);
      await settle();
    },
  };
}

const eventOf = ({ version, arm, ...finding }: VersionFinding, model: string): DriftEvent => ({
  model,
  version,
  arm,
  ...finding,
});

function announce({ info, record, emit }: DriftDeps, found: VersionFinding): void {
  const { version, arm, detector, target, n, startedAt, statistic, threshold } = found;
  const model = { ...info, version };
  record({ kind: "drift", model, arm, detector, target, n, since: startedAt, statistic, threshold });
  emit("drift", eventOf(found, info.name));
}

/** Tells what has become too inaccurate, once; returns what is to be remembered. */
function judge({ info, limits = {}, report, emit }: DriftDeps, versions: VersionRow[]) {
  const limit = limitsOf(limits, info);
  const changes: { row: VersionRow; degraded: DegradedEvent["basis"][] }[] = [];
  for (const version of limit.labels === undefined && limit.estimate === undefined ? [] : report()) {
    const row = versions.find((row) => row.version === version.version && row.arm === version.arm);
    // What the manifest says holds for the version that runs.
    if (!row || row.version !== info.version) continue;
    const verdicts = { labels: judgeLabels(version, limit.labels), estimate: judgeEstimate(version, limit.estimate) };
    const degraded = new Set(row.degraded);
    for (const basis of ["labels", "estimate"] as const) {
      const verdict = verdicts[basis];
      if (verdict?.isOver) degraded.delete(basis);
      if (!verdict?.isBelow || degraded.has(basis)) continue;
      degraded.add(basis);
      const { isBelow: _, isOver: __, ...figures } = verdict;
      const change = row.targets[basis === "labels" ? "error" : "confidence"]?.last;
      const detectedAt = Date.now();
      const startedAt = change?.startedAt ?? version.startedAt;
      emit("degraded", {
        model: info.name,
        version: row.version,
        arm: row.arm,
        basis,
        ...figures,
        startedAt,
        detectedAt,
      });
    }
    if (degraded.size !== row.degraded.length || row.degraded.some((basis) => !degraded.has(basis)))
      changes.push({ row, degraded: [...degraded] });
  }
  return changes;
}

function stateOf({ version, arm, targets, degraded }: VersionRow, model: string): DriftState {
  const states = Object.entries(targets).map(([target, stored]) => {
    const { last, ...state } = createTargetMonitor(target as DriftTarget, stored).state();
    return last ? { ...state, last: eventOf({ ...last, version, arm }, model) } : state;
  });
  return { version, arm, targets: states, degraded };
}
