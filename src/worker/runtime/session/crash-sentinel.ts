// Records which backend is running, so that the next visit knows which one crashed the page, and does not use it.
import { createSerialQueue } from "../../../shared/serial-queue.js";
import type { BackendRefusal } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { TuningCache } from "../tuning/tuning-cache.js";

const CRASHES = "crashes";
const CRASHES_TO_REFUSE = 2;
const RETENTION_MS = 24 * 3600 * 1000;

interface CrashRow {
  backend: Backend;
  /** Epoch milliseconds. */
  at: number;
  /** Id of the worker that runs the backend; its row is removed when the work ends. */
  by?: string;
}

export interface CrashSentinel {
  /** Backends that were running in two crashes within a day, with the reason. */
  refused(): Promise<BackendRefusal[]>;
  /** How many pages crashed within a day while the model ran, on any backend. */
  crashes(): Promise<number>;
  /** Resolves when the row is written: the work that follows may crash. */
  begin(backend: Backend): Promise<void>;
  end(): Promise<void>;
}

/** Whether the worker with this id is running, or was shut down cleanly. */
export type IsAlive = (workerId: string) => Promise<boolean>;

export function createCrashSentinel(
  cache: TuningCache,
  workerId: string,
  isAlive: IsAlive,
  now: () => number = Date.now,
): CrashSentinel {
  // Read and write must not interleave, or one change would be lost.
  const enqueue = createSerialQueue();
  const update = (change: (rows: CrashRow[]) => CrashRow[]): Promise<void> =>
    enqueue(async () => cache.write(CRASHES, change(await readRows())));
  const readRows = async (): Promise<CrashRow[]> => {
    const stored = await cache.read(CRASHES);
    const isValid = (row: Partial<CrashRow> | null) => typeof row?.backend === "string" && typeof row.at === "number";
    return Array.isArray(stored) ? stored.filter((row) => isValid(row) && now() - row.at < RETENTION_MS) : [];
  };
  const readCrashes = async (): Promise<CrashRow[]> => {
    const crashes: CrashRow[] = [];
    for (const row of await readRows()) if (row.by === undefined || !(await isAlive(row.by))) crashes.push(row);
    return crashes;
  };
  return {
    async refused() {
      const crashes = await readCrashes();
      const backends = [...new Set(crashes.map(({ backend }) => backend))];
      return backends.flatMap((backend) => {
        const count = crashes.filter((row) => row.backend === backend).length;
        const reason = `it was running when the page crashed, ${count} times within 24 hours`;
        return count >= CRASHES_TO_REFUSE ? [{ backend, reason }] : [];
      });
    },
    // The workers of one page die together.
    crashes: async () => new Set((await readCrashes()).map(({ by, at }) => by?.split("/")[0] ?? at)).size,
    begin: (backend) => update((rows) => [...withoutOwn(rows, workerId), { backend, at: now(), by: workerId }]),
    end: () => update((rows) => withoutOwn(rows, workerId)),
  };
}

function withoutOwn(rows: CrashRow[], workerId: string): CrashRow[] {
  return rows.filter(({ by }) => by !== workerId);
}

/**
 * Holds a Web Lock named `workerId` as long as this worker lives: other tabs see by it that the worker is alive. Without Web Locks no
 * worker counts as dead, and no crash is noticed.
 */
export function announceLife(workerId: string): void {
  void globalThis.navigator?.locks?.request(workerId, () => new Promise(() => undefined)).catch(() => undefined);
}

/** The returned check is also true for the workers of `shutDown`, which did not crash. */
export function createLivenessCheck(shutDown: string[]): IsAlive {
  return async (workerId) => {
    if (shutDown.includes(workerId)) return true;
    try {
      const { held = [] } = await navigator.locks.query();
      return held.some(({ name }) => name === workerId);
    } catch {
      return true;
    }
  };
}
