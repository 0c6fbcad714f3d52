// The plans of a tfjs session that outlive it: replayed from what was stored, and stored once they were made.
import type { RecordedRun, ReplayPlan } from "./plan-maker.js";
import { NoPlanError, type Part } from "./steps.js";

/** How a backend's plans are stored. */
export interface KeptForm<Stored> {
  keyOf(stored: Stored): string;
  read(): Promise<Stored[]>;
  write(plans: Stored[]): Promise<void>;
  /** Undefined where the plan needs other tensors than the model's weights. */
  toStored(part: Part, key: string, recorded: RecordedRun): Stored | undefined;
  /** Throws, or rejects with, `NoPlanError` where it does not fit the model. */
  toPlan(stored: Stored): ReplayPlan | Promise<ReplayPlan>;
}

export interface KeptPlans {
  /** The plan that was stored under the key. Undefined where there is none that fits. */
  restore(key: string): Promise<ReplayPlan | undefined>;
  /** Stores a plan that was checked, where it can be stored. */
  add(part: Part, key: string, recorded: RecordedRun): Promise<void>;
  /** It has failed, or does not fit. */
  forget(key: string): void;
}

/** `max` is how many are kept. */
export function keepPlans<Stored>(form: KeptForm<Stored>, max: number): KeptPlans {
  /** By key, those that are stored; undefined until they were read. */
  let known: Map<string, Stored> | undefined;
  const all = async () => {
    const found = known ? [] : await form.read();
    known ??= new Map(found.map((plan) => [form.keyOf(plan), plan]));
    return known;
  };
  const forget = (key: string) => {
    if (known?.delete(key)) void form.write([...known.values()]);
  };
  return {
    async restore(key) {
      const stored = (await all()).get(key);
      if (!stored) return undefined;
      try {
        return await form.toPlan(stored);
      } catch (error) {
        if (!(error instanceof NoPlanError)) throw error;
        // It is of another model or another version; this one makes its own.
        forget(key);
        return undefined;
      }
    },
    async add(part, key, recorded) {
      const stored = form.toStored(part, key, recorded);
      if (!stored) return;
      const kept = await all();
      kept.delete(key);
      kept.set(key, stored);
      for (const oldest of kept.keys()) if (kept.size > max) kept.delete(oldest);
      await form.write([...kept.values()]);
    },
    forget,
  };
}
