// What a device remembers of a model between visits: which target was fastest, and which backends crashed the page.

import type { BackendMeasurement, BackendRefusal, BackendReport } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { Target } from "../session/engine.js";

/** Where notes are kept; neither call rejects: what cannot be kept is measured again. */
export interface TuningCache {
  read(kind: string): Promise<unknown>;
  write(kind: string, value: unknown): Promise<void>;
}

export interface Choice {
  /** What must be the same for the choice to hold: browser, adapter, threads, what was allowed. */
  environment: string;
  target: Target;
  measured: BackendMeasurement[];
  refused: BackendRefusal[];
}

const CHOICE = "choice";

export function environmentOf(reports: BackendReport[]): string {
  const parts = reports.map(({ backend, available, adapter, threads }) =>
    [backend, available, adapter, threads].join(":"),
  );
  // Stays on this device.
  return [navigator.userAgent, ...parts].join("|");
}

/** Undefined where nothing fits; checked, for another version of the library may have written it. */
export async function recall(notes: TuningCache, environment: string): Promise<Choice | undefined> {
  const found = (await notes.read(CHOICE)) as Partial<Choice> | undefined;
  const fits = found?.environment === environment && found.target && Array.isArray(found.measured);
  return fits && Array.isArray(found.refused) ? (found as Choice) : undefined;
}

export function remember(notes: TuningCache, choice: Choice): Promise<void> {
  return notes.write(CHOICE, choice);
}

export function forget(notes: TuningCache): Promise<void> {
  return notes.write(CHOICE, undefined);
}

// ---- crashes -----------------------------------------------------------------------------------------------------

const CRASHES = "crashes";
const CRASHES_TO_REFUSE = 2;
const MEMORY_MS = 24 * 3600 * 1000;

interface CrashRow {
  backend: Backend;
  /** Milliseconds since 1970. */
  at: number;
  /** Who runs the backend, until it says that it has ended. */
  by?: string;
}

/** Notes while a backend is at work that it is, so that a crash of the whole page is known at the next visit. */
export interface CrashSentinel {
  /** Backends that took the page with them twice within a day, and what to tell of it. */
  refused(): Promise<BackendRefusal[]>;
  /** Resolves when it is written: what follows may crash. */
  begin(backend: Backend): Promise<void>;
  end(): Promise<void>;
}

/** Whether the worker that calls itself so still lives. */
export type IsAlive = (by: string) => Promise<boolean>;

export function createCrashSentinel(
  notes: TuningCache,
  me: string,
  isAlive: IsAlive,
  now: () => number = Date.now,
): CrashSentinel {
  // One after the other, or two of them would each write what they read.
  let turn: Promise<unknown> = Promise.resolve();
  const change = (make: (rows: CrashRow[]) => CrashRow[]): Promise<void> => {
    const changed = turn.then(async () => notes.write(CRASHES, make(await rows())));
    turn = changed.catch(() => undefined);
    return changed;
  };
  const rows = async (): Promise<CrashRow[]> => {
    const found = await notes.read(CRASHES);
    const fits = (row: Partial<CrashRow> | null) => typeof row?.backend === "string" && typeof row.at === "number";
    return Array.isArray(found) ? found.filter((row) => fits(row) && now() - row.at < MEMORY_MS) : [];
  };
  return {
    async refused() {
      const crashed: CrashRow[] = [];
      for (const row of await rows()) if (row.by === undefined || !(await isAlive(row.by))) crashed.push(row);
      const backends = [...new Set(crashed.map(({ backend }) => backend))];
      return backends.flatMap((backend) => {
        const count = crashed.filter((row) => row.backend === backend).length;
        const reason = `it was running when the page crashed, ${count} times within 24 hours`;
        return count >= CRASHES_TO_REFUSE ? [{ backend, reason }] : [];
      });
    },
    begin: (backend) => change((all) => [...all.filter(({ by }) => by !== me), { backend, at: now(), by: me }]),
    end: () => change((all) => all.filter(({ by }) => by !== me)),
  };
}

/**
 * Holds a lock named `me` as long as this worker lives, by which other tabs see that it does. Where there are no locks nobody counts
 * as dead, and no crash is noticed.
 */
export function announceLife(me: string): void {
  void globalThis.navigator?.locks?.request(me, () => new Promise(() => undefined)).catch(() => undefined);
}

/** True as well for a worker of `closed`, which did not crash. */
export function lives(closed: string[]): IsAlive {
  return async (by) => {
    if (closed.includes(by)) return true;
    try {
      const { held = [] } = await navigator.locks.query();
      return held.some(({ name }) => name === by);
    } catch {
      return true;
    }
  };
}
