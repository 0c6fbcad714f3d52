// Keeps the detectors' state in this browser, so that visits of a few predictions add up, also over several tabs.

import { randomHex } from "../../../shared/hex.js";
import type { ArmRole } from "../../../shared/types/rollout.js";
import type { Rows, Table } from "../../lib/idb-table.js";
import { createTargetMonitor, type Finding, type StoredTarget } from "./target-monitor.js";
import type { DegradedEvent, DriftTarget } from "./types.js";

/** A value of a target that no detector has seen yet. */
export interface DriftValue {
  version: string;
  arm: ArmRole;
  target: DriftTarget;
  /** 1 less the confidence, or 1 for an error. */
  value: number;
  time: number;
}

/** The state of a version in one arm. */
export interface VersionRow {
  id: string;
  model: string;
  version: string;
  arm: ArmRole;
  updatedAt: number;
  targets: Partial<Record<DriftTarget, StoredTarget>>;
  degraded: DegradedEvent["basis"][];
}

/** What a page that was hidden had not passed to the detectors. */
interface JournalRow {
  id: string;
  model: string;
  journal: DriftValue[];
}

export type DriftRow = VersionRow | JournalRow;

/** A change that was found when values were passed to the detectors. */
export interface VersionFinding extends Finding {
  version: string;
  arm: ArmRole;
}

export interface DriftLog {
  /** Takes what the detectors have not seen. */
  add(value: DriftValue): void;
  /** Passes all values to the detectors, in one transaction. Resolves with what they found, and the rows after that. */
  settle(): Promise<{ findings: VersionFinding[]; versions: VersionRow[] }>;
  /** Writes the values as they are, without reading: a page that ends has no time for more. */
  journal(): void;
  setDegraded(row: VersionRow, degraded: DegradedEvent["basis"][]): Promise<void>;
  clear(): Promise<void>;
}

const MAX_VERSIONS = 8;
const MAX_AGE_MS = 90 * 24 * 3600 * 1000;
// A page that predicts 60 times a second and is never idle; the newest matter.
const MAX_VALUES = 10_000;

export function createDriftLog(model: string, table: Table<DriftRow>): DriftLog {
  let values: DriftValue[] = [];
  const isOwn = (row: DriftRow) => row.model === model;

  return {
    add(value) {
      values.push(value);
      if (values.length > MAX_VALUES) values.shift();
    },
    async settle() {
      const taken = values;
      values = [];
      return table.change(async (rows) => {
        const stored = (await rows.all()).filter(isOwn);
        const journals = stored.filter((row): row is JournalRow => "journal" in row);
        const left = journals.flatMap(({ journal }) => journal).sort((a, b) => a.time - b.time);
        const versions = new Map(stored.flatMap((row) => ("journal" in row ? [] : [[row.id, row] as const])));
        const { findings, changed } = detect(model, versions, [...left, ...taken]);
        for (const row of changed) await rows.put(row);
        for (const { id } of journals) await rows.remove(id);
        await removeOld(rows, versions);
        return { findings, versions: [...versions.values()] };
      });
    },
    journal() {
      if (values.length === 0) return;
      const row: JournalRow = { id: `${model}\n${randomHex()}`, model, journal: values };
      values = [];
      void table.change(async (rows) => void rows.put(row).catch(() => undefined));
    },
    setDegraded: (row, degraded) =>
      table.change(async (rows) => {
        const now = await rows.get(row.id);
        if (now && "targets" in now) await rows.put({ ...now, degraded });
        row.degraded = degraded;
      }),
    async clear() {
      values = [];
      await table.change(async (rows) => {
        for (const row of (await rows.all()).filter(isOwn)) await rows.remove(row.id);
      });
    },
  };
}

/** Passes values to the detectors of their version, which are changed in `versions`. */
function detect(model: string, versions: Map<string, VersionRow>, values: readonly DriftValue[]) {
  const findings: VersionFinding[] = [];
  const groups = new Map<string, DriftValue[]>();
  for (const value of values) {
    const key = `${model}\n${value.version}\n${value.arm}\n${value.target}`;
    const group = groups.get(key) ?? [];
    group.push(value);
    groups.set(key, group);
  }
  const changed = new Set<VersionRow>();
  for (const group of groups.values()) {
    const [{ version, arm, target }] = group as [DriftValue];
    const id = `${model}\n${version}\n${arm}`;
    const row = versions.get(id) ?? { id, model, version, arm, updatedAt: 0, targets: {}, degraded: [] };
    const monitor = createTargetMonitor(target, row.targets[target]);
    for (const { value, time } of group) {
      const found = monitor.update(value, time);
      if (found) findings.push({ ...found, version, arm });
      row.updatedAt = Math.max(row.updatedAt, time);
    }
    row.targets[target] = monitor.stored();
    versions.set(id, row);
    changed.add(row);
  }
  return { findings, changed };
}

/** By the newest row, not by the clock: it may have been wrong. */
async function removeOld(rows: Rows<DriftRow>, versions: Map<string, VersionRow>): Promise<void> {
  const newest = [...versions.values()].sort((a, b) => b.updatedAt - a.updatedAt);
  for (const [place, { id, updatedAt }] of newest.entries()) {
    if (place < MAX_VERSIONS && (newest[0]?.updatedAt as number) - updatedAt <= MAX_AGE_MS) continue;
    versions.delete(id);
    await rows.remove(id);
  }
}
