// Makes a session's plans piece by piece while no prediction waits.
import type { Scheduler } from "../scheduling/scheduler.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { runInPause } from "../tuning/pause.js";

/** Resolves when no plan is wanted any more, or the model was disposed. Never rejects. */
export async function makePlans(
  session: ResilientSession,
  scheduler: Scheduler,
  signal: AbortSignal,
  onChange: () => void,
): Promise<void> {
  const stateOf = () => JSON.stringify(session.session.plans?.info);
  let told = stateOf();
  try {
    while (session.session.plans?.isWanted && !signal.aborted) {
      // The model may have moved to another session meanwhile.
      await runInPause(scheduler, signal, async () => session.session.plans?.advance(session.deps.selfTests));
      const state = stateOf();
      if (state === told) continue;
      told = state;
      onChange();
    }
  } catch {
    // A run failed, as those of predictions do: they are recovered.
    onChange();
  }
}
