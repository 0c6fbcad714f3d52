// Stores which target was fastest for a model on this device, so that the next visit starts there.
import type { BackendMeasurement, BackendRefusal, BackendReport } from "../../../shared/types/model.js";
import type { Target } from "../session/engine.js";

/** Stores values of a model by kind. Neither call rejects: a value that cannot be stored is measured again. */
export interface TuningCache {
  read(kind: string): Promise<unknown>;
  write(kind: string, value: unknown): Promise<void>;
}

export interface Choice {
  /** The choice holds only in the same environment: browser, adapter, threads, allowed backends. */
  environment: string;
  target: Target;
  measured: BackendMeasurement[];
  refused: BackendRefusal[];
  /** Epoch milliseconds. */
  chosenAt: number;
}

// Browsers and drivers change, and other programs were perhaps running when it was measured.
const MAX_AGE_MS = 30 * 24 * 3600e3;

/** The kind of the row that `recall` reads. */
export const CHOICE = "choice";

/** Stays on this device. */
export function environmentOf(reports: BackendReport[]): string {
  const parts = reports.map(({ backend, available, adapter, threads }) =>
    [backend, available, adapter, threads].join(":"),
  );
  return [navigator.userAgent, ...parts].join("|");
}

/** Undefined where no choice is stored for the environment, or one that is a month old. The value is checked: another version of the library may have written it. */
export async function recall(cache: TuningCache, environment: string): Promise<Choice | undefined> {
  const stored = (await cache.read(CHOICE)) as Partial<Choice> | undefined;
  const isValid = stored?.environment === environment && stored.target && Array.isArray(stored.measured);
  const age = Date.now() - (stored?.chosenAt ?? 0);
  // Also of a clock that was put back since.
  if (!isValid || !Array.isArray(stored.refused) || age > MAX_AGE_MS || age < 0) return undefined;
  return stored as Choice;
}

export function remember(cache: TuningCache, choice: Choice): Promise<void> {
  return cache.write(CHOICE, choice);
}

export function forget(cache: TuningCache): Promise<void> {
  return cache.write(CHOICE, undefined);
}
