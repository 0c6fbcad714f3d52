// Finds a moment for work that no prediction waits for.
import type { Scheduler } from "../scheduling/scheduler.js";

// Predictions come in bursts: after a pause of this length other work seldom delays one.
const PAUSE_MS = 100;
const POLL_MS = 20;
// A page that never pauses waits once for each job.
const MAX_WAIT_MS = 3_000;

/** Runs a job with exclusive use of the engine once no prediction has waited for a while, or after three seconds. */
export async function runInPause<T>(scheduler: Scheduler, signal: AbortSignal, job: () => Promise<T>): Promise<T> {
  const priority = (await waitForPause(scheduler, signal)) ? "low" : "high";
  return scheduler.runExclusive(job, { priority, signal });
}

/** Resolves once no prediction has waited for a while; with false when the page did not pause in time. */
export async function waitForPause(scheduler: Scheduler, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  for (let idleMs = 0; idleMs < PAUSE_MS && !signal.aborted; idleMs = scheduler.isIdle() ? idleMs + POLL_MS : 0) {
    if (performance.now() - started > MAX_WAIT_MS) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
