// Finds out whether a worker still answers, and ends one that does not.
import { InsituError } from "../../shared/errors.js";
import { withTimeout } from "../lib/with-timeout.js";
import type { WorkerConnection } from "./connection.js";

// A run of a large model on cpu takes seconds, in which a worker cannot answer although nothing is wrong.
const HANG_MS = 5_000;
const HUNG = "hung";

/** Ends the worker with `worker_crashed` if it does not answer within five seconds. Never rejects. */
export async function endIfHung(worker: WorkerConnection): Promise<void> {
  if (!worker.alive() || (await answers(worker, () => worker.call("ping", [])))) return;
  const message = `The worker did not answer for ${HANG_MS / 1000} s and was terminated. Its models are loaded again with the next call.`;
  worker.end(new InsituError("worker_crashed", message, { reason: HUNG }));
}

/** Runs a call a second time where its worker was ended because of another call, which made it hang. */
export async function repeatIfHung<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (signal.aborted || (error as Partial<InsituError>).data?.reason !== HUNG) throw error;
    return run();
  }
}

/** False when the worker did not answer in time. */
export async function answers(worker: WorkerConnection, call: () => Promise<void>): Promise<boolean> {
  try {
    await withTimeout({ timeout: HANG_MS, what: "Calling the worker" }, call);
    return true;
  } catch {
    return !worker.alive();
  }
}
