// Finds the fastest target of a model while nobody waits, moves the model there, and remembers it for the next visit.
import type { BackendMeasurement } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Scheduler } from "../scheduling/scheduler.js";
import type { Session, Target } from "../session/engine.js";
import { openTarget } from "../session/open-session.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { benchmarkSession } from "./benchmark.js";
import { fastest, isSame, nextCandidate } from "./candidates.js";
import { remember } from "./tuning-cache.js";

// Predictions come in bursts; what begins in a pause of this length seldom makes one wait.
const PAUSE_MS = 100;
const LOOK_MS = 20;
// Who never pauses waits once for each target, for the good of all later predictions.
const PATIENCE_MS = 3_000;
/** A move costs a moment, and medians of a few runs are noisy: a tenth must be won. */
const WORTH = 0.9;

/** Resolves when the fastest target runs the model, or the model was disposed. Never rejects. */
export async function autotune(
  resident: ResilientSession,
  turns: Scheduler,
  feeds: Record<string, TensorData>,
  end: AbortSignal,
): Promise<void> {
  const { environment, parts } = resident;
  const failed: Target[] = [];
  const measured: BackendMeasurement[] = [];
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    const priority = (await pause(turns, end)) ? "low" : "high";
    return turns.runExclusive(run, { priority, signal: end });
  };
  try {
    const p50Ms = await step(() => benchmarkSession(resident.session(), feeds));
    measured.push({ ...resident.target(), p50Ms });
    resident.adopt(resident.session(), [...measured]);
    for (;;) {
      const target = nextCandidate(resident.usable(), measured, failed);
      if (!target) break;
      await step(() => tryTarget(resident, target, feeds, measured, failed));
    }
    const { refused } = resident.residence();
    await remember(parts.notes, { environment, target: resident.target(), measured, refused });
  } catch {
    // Disposed, or a device died: the model runs where it is, and the next visit measures again.
  }
}

async function tryTarget(
  resident: ResilientSession,
  target: Target,
  feeds: Record<string, TensorData>,
  measured: BackendMeasurement[],
  failed: Target[],
): Promise<void> {
  const { engine, sentinel } = resident.parts;
  let session: Session | undefined;
  await sentinel.begin(target.backend);
  try {
    session = await openTarget(resident.parts, target);
    const before = fastest(measured);
    const p50Ms = await benchmarkSession(session, feeds);
    measured.push({ ...target, p50Ms });
    if (before && p50Ms < before.p50Ms * WORTH) {
      resident.adopt(session, [...measured]);
      return;
    }
    resident.adopt(resident.session(), [...measured]);
  } catch (error) {
    failed.push(target);
    resident.refuse(target.backend, error);
  } finally {
    await sentinel.end();
  }
  if (isSame(resident.target(), target)) return;
  session?.dispose();
  engine.stop(target);
}

/** False when there was none. */
async function pause(turns: Scheduler, end: AbortSignal): Promise<boolean> {
  const started = performance.now();
  for (let idle = 0; idle < PAUSE_MS && !end.aborted; idle = turns.isIdle() ? idle + LOOK_MS : 0) {
    if (performance.now() - started > PATIENCE_MS) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}
