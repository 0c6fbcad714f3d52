// Looks at the triggers whenever something was learned or judged, and trains when the page is idle.
import type { ErrorCode } from "../../../shared/errors.js";
import type { PersonalVersion, RetrainTriggers, TriggerOutcome } from "../../../shared/types/personal.js";
import { checkTriggers, INITIAL_STATE, type TriggerInputs } from "./retrain-triggers.js";

export interface RetrainScheduler {
  /** Something changed that a trigger may wait for. */
  nudge(): void;
  /** The last of them, the oldest first. */
  fired(): TriggerOutcome[];
  stop(): void;
}

export interface RetrainSchedulerDeps {
  triggers: RetrainTriggers;
  see(): Promise<TriggerInputs>;
  train(trigger: TriggerOutcome["trigger"], budget: number, signal: AbortSignal): Promise<PersonalVersion>;
  /** Something is being predicted. */
  isBusy(): boolean;
  onFired(fired: TriggerOutcome): void;
  codeOf(error: unknown): ErrorCode;
}

const BUDGET_MS = 2_000;
// One look for a burst of examples.
const SETTLE_MS = 200;
// The page is asked again whether it is idle; after the last a video that never ends is not waited for any longer.
const IDLE_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const MOST_KEPT = 20;

export function createRetrainScheduler(parts: RetrainSchedulerDeps): RetrainScheduler {
  const { triggers, see, train, isBusy, onFired, codeOf } = parts;
  const isOn = [triggers.examples, triggers.age, triggers.accuracy].some((value) => value !== undefined);
  const end = new AbortController();
  const history: TriggerOutcome[] = [];
  let memory = INITIAL_STATE;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isTraining = false;

  const tell = (fired: TriggerOutcome) => onFired({ ...fired });

  const run = async (fired: TriggerOutcome) => {
    isTraining = true;
    try {
      await idle(isBusy, end.signal);
      fired.outcome = "training";
      tell(fired);
      const { version, activated } = await train(fired.trigger, triggers.budget ?? BUDGET_MS, end.signal);
      Object.assign(fired, { outcome: activated ? "trained" : "not_better", version });
    } catch (error) {
      Object.assign(fired, { outcome: "failed", code: codeOf(error) });
    } finally {
      isTraining = false;
    }
    if (end.signal.aborted) return;
    tell(fired);
    // What was taught meanwhile.
    nudge();
  };

  const check = async () => {
    timer = undefined;
    if (isTraining || end.signal.aborted) return;
    const now = Date.now();
    const seen = await see().catch(() => undefined);
    if (!seen || isTraining || end.signal.aborted) return;
    const found = checkTriggers(triggers, seen, memory, now);
    memory = found.memory;
    if (found.fired) {
      const fired: TriggerOutcome = { ...found.fired, firedAt: now, outcome: "waiting" };
      history.push(fired);
      history.splice(0, history.length - MOST_KEPT);
      tell(fired);
      void run(fired);
      return;
    }
    // What is due, but must cool down first, or comes with time alone.
    const waits = [triggers.age, triggers.coolDown].filter((ms) => ms !== undefined && ms > 0) as number[];
    if (seen.state.fresh > 0 && waits.length > 0) schedule(Math.max(1_000, Math.min(...waits)));
  };

  const schedule = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void check(), Math.min(ms, 2 ** 31 - 1));
  };

  const nudge = () => {
    if (isOn && !end.signal.aborted) schedule(SETTLE_MS);
  };

  return {
    nudge,
    fired: () => history.map((fired) => ({ ...fired })),
    stop() {
      clearTimeout(timer);
      end.abort();
    },
  };
}

/** Resolves once nothing is predicted and the page has nothing to do, or after ten seconds. */
async function idle(isBusy: () => boolean, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  while (!signal.aborted && performance.now() - began < LONGEST_WAIT_MS) {
    await new Promise<void>((resolve) => {
      const request = globalThis.requestIdleCallback;
      // Safari has none.
      if (request) request(() => resolve(), { timeout: IDLE_MS });
      else setTimeout(resolve, IDLE_MS / 5);
    });
    if (!isBusy()) return;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  }
  signal.throwIfAborted();
}
