// Checks the triggers whenever examples or feedback were added, and trains when the page is idle.
import { isInsituError } from "../../../shared/errors.js";
import type { PersonalVersion, RetrainTriggers, TriggerOutcome } from "../../../shared/types/personal.js";
import { checkNumber, checkType } from "../../lib/check-option.js";
import { checkTriggers as dueTrigger, INITIAL_STATE, type TriggerInputs } from "./retrain-triggers.js";

export interface RetrainScheduler {
  /** To be called when something changed that a trigger may wait for. */
  nudge(): void;
  /** The last triggers that fired, the oldest first. */
  fired(): TriggerOutcome[];
  stop(): void;
}

export interface RetrainSchedulerDeps {
  triggers: RetrainTriggers;
  readInputs(): Promise<TriggerInputs>;
  train(trigger: TriggerOutcome["trigger"], budget: number, signal: AbortSignal): Promise<PersonalVersion>;
  /** True while predictions run. */
  isBusy(): boolean;
  onFired(fired: TriggerOutcome): void;
}

const BUDGET_MS = 2_000;
// One check for a burst of examples.
const SETTLE_MS = 200;
// How often to check whether the page is idle, and when to stop waiting: a video may never end.
const IDLE_MS = 500;
const MAX_WAIT_MS = 10_000;
const MAX_FIRED = 20;

export function createRetrainScheduler(deps: RetrainSchedulerDeps): RetrainScheduler {
  const { triggers, readInputs, onFired } = deps;
  checkTriggers(triggers);
  const isOn = [triggers.examples, triggers.age, triggers.accuracy].some((value) => value !== undefined);
  const end = new AbortController();
  const history: TriggerOutcome[] = [];
  let memory = INITIAL_STATE;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isTraining = false;

  const check = async () => {
    timer = undefined;
    if (isTraining || end.signal.aborted) return;
    const now = Date.now();
    const inputs = await readInputs().catch(() => undefined);
    if (!inputs || isTraining || end.signal.aborted) return;
    const found = dueTrigger(triggers, inputs, memory, now);
    memory = found.memory;
    if (!found.fired) return scheduleLater(inputs);
    const fired: TriggerOutcome = { ...found.fired, firedAt: now, outcome: "waiting" };
    history.push(fired);
    history.splice(0, history.length - MAX_FIRED);
    onFired({ ...fired });
    isTraining = true;
    await runTraining(deps, fired, end.signal);
    isTraining = false;
    if (end.signal.aborted) return;
    onFired({ ...fired });
    // Examples may have been added in the meantime.
    nudge();
  };
  const schedule = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void check(), Math.min(ms, 2 ** 31 - 1));
  };
  /** For triggers that wait for the cool-down, or for time alone. */
  const scheduleLater = ({ state }: TriggerInputs) => {
    const waits = [triggers.age, triggers.coolDown].filter((ms) => ms !== undefined && ms > 0) as number[];
    if (state.fresh > 0 && waits.length > 0) schedule(Math.max(1_000, Math.min(...waits)));
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

/** Throws `input_invalid` that names the option. */
function checkTriggers(triggers: RetrainTriggers): void {
  checkType("triggers", triggers, "object");
  for (const [name, value] of Object.entries(triggers)) checkNumber(`triggers.${name}`, value);
}

/** Trains once the page is idle, and writes the result to `fired`. Never rejects. */
async function runTraining(deps: RetrainSchedulerDeps, fired: TriggerOutcome, signal: AbortSignal): Promise<void> {
  const { triggers, train, isBusy, onFired } = deps;
  try {
    await waitUntilIdle(isBusy, signal);
    fired.outcome = "training";
    onFired({ ...fired });
    const { version, activated } = await train(fired.trigger, triggers.budget ?? BUDGET_MS, signal);
    Object.assign(fired, { outcome: activated ? "trained" : "not_better", version });
  } catch (error) {
    Object.assign(fired, { outcome: "failed", code: isInsituError(error) ? error.code : "unknown" });
  }
}

/** Resolves once no prediction runs and the page is idle, or after ten seconds. */
async function waitUntilIdle(isBusy: () => boolean, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  while (!signal.aborted && performance.now() - started < MAX_WAIT_MS) {
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
