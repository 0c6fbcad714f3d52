// Makes a session's plans piece by piece while no prediction waits.
import type { Scheduler } from "../scheduling/scheduler.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { runInPause } from "../tuning/pause.js";

// A piece as short as this delays a prediction by less than a frame of a video.
const SHORT_MS = 10;

/** Resolves when no plan is wanted any more, or the model was disposed. `onStep` is called after each piece. Never rejects. */
export async function makePlans(
  session: ResilientSession,
  scheduler: Scheduler,
  signal: AbortSignal,
  onStep: () => void,
): Promise<void> {
  // The model may have moved to another session meanwhile.
  const advance = async () => {
    const started = performance.now();
    await session.session.plans?.advance(session.deps.selfTests);
    return performance.now() - started;
  };
  let lastMs = Number.POSITIVE_INFINITY;
  try {
    while (session.session.plans?.isWanted && !signal.aborted) {
      const isShort = lastMs < SHORT_MS;
      lastMs = await (isShort
        ? scheduler.runExclusive(advance, { priority: "low", signal })
        : runInPause(scheduler, signal, advance));
      onStep();
    }
  } catch {
    // A run failed, as those of predictions do: they are recovered.
    onStep();
  }
}
