// One call to a worker of the client: deadline, abort, and the worker's start or replacement.
import type { InsituError } from "../../shared/errors.js";
import type { ClientMethod, HostArgs, HostProgress, HostResult } from "../../shared/protocol.js";
import { type CallLimits, withTimeout } from "../lib/with-timeout.js";
import { wasHung } from "./hung-worker.js";
import type { PooledWorker, WorkerSlot } from "./pool.js";

export interface CallOptions<P = unknown> extends CallLimits {
  onProgress?: (progress: P) => void;
}

export interface Rpc {
  /** Rejects with `timeout` or `aborted` as `options` say, with the worker's error, or with `worker_crashed`. */
  call<M extends ClientMethod>(
    method: M,
    args: HostArgs<M>,
    options: CallOptions<HostProgress<M>>,
  ): Promise<HostResult<M>>;
}

export function createRpc(slot: WorkerSlot): Rpc {
  return {
    call: (method, args, { onProgress, ...limits }) =>
      useWorker(slot, limits, (worker, signal) => worker.call(method, args, { signal, onProgress })),
  };
}

/**
 * Runs `run` with the slot's worker, and a second time where that one was ended because another call made it hang. A worker that does not
 * answer any more when the call is late or given up is ended.
 */
export async function useWorker<T>(
  slot: WorkerSlot,
  limits: CallLimits,
  run: (worker: PooledWorker, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withTimeout(limits, (signal) => {
      const attempt = async () => run(await slot.worker(), signal);
      return slot.during(() =>
        attempt().catch((error: unknown) => {
          if (signal.aborted || !wasHung(error)) throw error;
          return attempt();
        }),
      );
    });
  } catch (error) {
    if (/timeout|aborted/.test((error as InsituError).code)) slot.endIfHung();
    throw error;
  }
}
