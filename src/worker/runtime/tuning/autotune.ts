// Finds the fastest target of a model while no prediction waits, moves the model there, and stores it for the next visit.
import type { BackendMeasurement } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Scheduler } from "../scheduling/scheduler.js";
import type { Session, Target } from "../session/engine.js";
import type { openTarget } from "../session/open-session.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { benchmarkSession } from "./benchmark.js";
import { fastest, isSame } from "./candidates.js";
import { nextCandidate } from "./next-candidate.js";
import { runInPause } from "./pause.js";
import { remember } from "./tuning-cache.js";

/** Medians of a few runs are noisy, and a move takes time: the new target must be at least a tenth faster. */
const MAX_RATIO_TO_MOVE = 0.9;

/** What one search has found so far. */
interface Search {
  session: ResilientSession;
  feeds: Record<string, TensorData>;
  measured: BackendMeasurement[];
  failed: Target[];
  open: typeof openTarget;
}

/** Resolves when the model runs on the fastest target, or was disposed. Never rejects. `open` is the caller's, which knows the errors that it makes. */
export async function autotune(
  session: ResilientSession,
  scheduler: Scheduler,
  feeds: Record<string, TensorData>,
  signal: AbortSignal,
  open: typeof openTarget,
): Promise<void> {
  const search: Search = { session, feeds, measured: [], failed: [], open };
  const { measured, failed } = search;
  const step = <T>(job: () => Promise<T>): Promise<T> => runInPause(scheduler, signal, job);
  try {
    const p50Ms = await step(() => benchmarkSession(session.session, feeds));
    measured.push({ ...session.target, p50Ms });
    session.adopt(session.session, [...measured]);
    for (;;) {
      const isPlanned = session.session.plans?.info.state === "used";
      const target = nextCandidate(session.usable(), measured, failed, isPlanned);
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

async function tryTarget({ session, feeds, measured, failed, open }: Search, target: Target): Promise<void> {
  const { engine, sentinel } = session.deps;
  let candidate: Session | undefined;
  await sentinel.begin(target.backend);
  try {
    candidate = await open(session.deps, target);
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
