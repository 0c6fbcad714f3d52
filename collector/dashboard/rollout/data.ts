// What the dashboard asks the collector about rollouts, drift and retraining, beside the report.
import type { DriftReport } from "../../src/drift/drift-types.js";
import type { Decision } from "../../src/rollout/decision-types.js";
import type { Mark } from "../chart.js";

/** Of `GET /v1/channels/:model/history`, newest first. Times are epoch milliseconds. */
export interface ChannelChange {
  release: number;
  at: number;
  by: string;
  why: string;
  arms: readonly { version: string; role: string; weight: number }[];
}

/** Of `GET /v1/retrain`, one a model. */
export interface Retraining {
  model: string;
  version: string | null;
  coolsUntil: number | null;
  checkedAt: number | null;
  triggers: readonly { trigger: string; isMet: boolean; isArmed: boolean; heldBack: string | null }[];
  /** The newest first. */
  runs: readonly {
    id: string;
    version: string;
    trigger: string;
    firedAt: number;
    state: string;
    newVersion: string | null;
    detail: string;
    attempts: readonly unknown[];
  }[];
}

/** Null where the collector has nothing to tell, with `why`. */
export interface Told<T> {
  data: T | null;
  why: string;
}

export interface Rollouts {
  /** By model. */
  decisions: ReadonlyMap<string, Told<Decision>>;
  changes: ReadonlyMap<string, Told<readonly ChannelChange[]>>;
  drift: ReadonlyMap<string, Told<readonly DriftReport[]>>;
  retrain: Told<readonly Retraining[]>;
}

export const NOTHING: Rollouts = {
  decisions: new Map(),
  changes: new Map(),
  drift: new Map(),
  retrain: { data: null, why: "" },
};

/** `1.3.0 canary 10 %` of each version that runs; of a shadow no weight, since it answers nothing. */
export function armsText(arms: ChannelChange["arms"]): string {
  const all = arms.reduce((sum, { role, weight }) => sum + (role === "shadow" ? 0 : weight), 0);
  return arms
    .map(({ version, role, weight }) => {
      const share = all > 0 ? Math.round((weight / all) * 1000) / 10 : 0;
      return role === "shadow" ? `${version} shadow` : `${version} ${role} ${share} %`;
    })
    .join(", ");
}

/** A line for each change of a channel. */
export function marksOf({ changes }: Rollouts): Mark[] {
  return [...changes].flatMap(([model, { data }]) =>
    (data ?? []).map(({ at, release, arms }) => ({
      time: at,
      model,
      text: `${model}, release ${release}: ${armsText(arms)}`,
    })),
  );
}
