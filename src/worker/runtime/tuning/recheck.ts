// Runs the self-test of a target that was chosen at an earlier visit: its driver, or what was kept of the model, may have changed since.
import { InsituError } from "../../../shared/errors.js";
import type { Scheduler } from "../scheduling/scheduler.js";
import type { ResilientSession } from "../session/resilient-session.js";
import { verifySession } from "../session/verify-session.js";
import { runInPause } from "./pause.js";

/** Resolves when the model's outputs are right, on this target or on another, or when it was disposed. Never rejects. */
export async function recheck(session: ResilientSession, scheduler: Scheduler, signal: AbortSignal): Promise<void> {
  try {
    await runInPause(scheduler, signal, async () => {
      const tests = await session.deps.selfTests();
      const { backend } = session.target;
      const wrong = await verifySession(session.session, tests, backend);
      if (wrong !== undefined) await session.replaceWrong(new InsituError("output_invalid", wrong, { backend }));
    });
  } catch {
    // The self-test could not be read, or its run failed: predictions are recovered where they run into the same.
  }
}
