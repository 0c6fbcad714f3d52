// Finds the fastest target of a model while no prediction waits, moves the model there, and stores it for the next visit.
import type { BackendMeasurement } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Scheduler } from "../scheduling/scheduler.js";
import type { Session, Target } from "../session/engine.js";
import { openTarget } from "../session/open-session.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { benchmarkSession } from "./benchmark.js";
import { fastest, isSame, nextCandidate } from "./candidates.js";
import { remember } from "./tuning-cache.js";

// Predictions come in bursts: after a pause of this length a measurement seldom delays one.
const PAUSE_MS = 100;
const POLL_MS = 20;
// A page that never pauses waits once for each target; all later predictions are faster for it.
const MAX_WAIT_MS = 3_000;
/** Medians of a few runs are noisy, and a move takes time: the new target must be at least a tenth faster. */
const MAX_RATIO_TO_MOVE = 0.9;

/** What one search has found so far. */
interface Search {
  session: ResilientSession;
  feeds: Record<string, TensorData>;
  measured: BackendMeasurement[];
  failed: Target[];
}

/** Resolves when the model runs on the fastest target, or was disposed. Never rejects. */
export async function autotune(
  session: ResilientSession,
  scheduler: Scheduler,
  feeds: Record<string, TensorData>,
  signal: AbortSignal,
): Promise<void> {
  const search: Search = { session, feeds, measured: [], failed: [] };
  const { measured, failed } = search;
  const step = async <T>(job: () => Promise<T>): Promise<T> => {
    const priority = (await waitForPause(scheduler, signal)) ? "low" : "high";
    return scheduler.runExclusive(job, { priority, signal });
  };
  try {
    const p50Ms = await step(() => benchmarkSession(session.session, feeds));
    measured.push({ ...session.target, p50Ms });
    session.adopt(session.session, [...measured]);
    for (;;) {
      const target = nextCandidate(session.usable(), measured, failed);
      if (!target) break;
      await step(() => tryTarget(search, target));
    }
    const { refused } = session.residence();
    const { environment, target } = session;
    if (session.isWorthRemembering)
      await remember(session.deps.tuningCache, { environment, target, measured, refused, chosenAt: Date.now() });
  } catch {
    // Disposed, or a device was lost: the model stays where it runs, and the next visit measures again.
  }
}

async function tryTarget({ session, feeds, measured, failed }: Search, target: Target): Promise<void> {
  const { engine, sentinel } = session.deps;
  let candidate: Session | undefined;
  await sentinel.begin(target.backend);
  try {
    candidate = await openTarget(session.deps, target);
    const best = fastest(measured);
    const p50Ms = await benchmarkSession(candidate, feeds);
    measured.push({ ...target, p50Ms });
    const isFaster = best !== undefined && p50Ms < best.p50Ms * MAX_RATIO_TO_MOVE;
    session.adopt(isFaster ? candidate : session.session, [...measured]);
    if (isFaster) return;
  } catch (error) {
    failed.push(target);
    session.refuse(target.backend, error);
  } finally {
    await sentinel.end();
  }
  if (isSame(session.target, target)) return;
  candidate?.dispose();
  engine.stop(target);
}

/** False when the page did not pause in time. */
async function waitForPause(scheduler: Scheduler, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  for (let idleMs = 0; idleMs < PAUSE_MS && !signal.aborted; idleMs = scheduler.isIdle() ? idleMs + POLL_MS : 0) {
    if (performance.now() - started > MAX_WAIT_MS) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
