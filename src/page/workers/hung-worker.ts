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
  const message = `The worker did not answer for ${HANG_MS / 1000} s and was ended. Call again.`;
  worker.end(new InsituError("worker_crashed", message, { reason: HUNG }));
}

/** Whether the worker was ended because it did not answer. */
export const wasHung = (error: unknown): boolean => (error as Partial<InsituError>).data?.reason === HUNG;

/** False when the worker did not answer in time. */
export async function answers(worker: WorkerConnection, call: () => Promise<void>): Promise<boolean> {
  try {
    await withTimeout({ timeout: HANG_MS, what: "Calling the worker" }, call);
    return true;
  } catch {
    return !worker.alive();
  }
}
