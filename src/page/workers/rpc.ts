// One call to a worker of the client: deadline, abort, and the worker's start or replacement.
import { isInsituError } from "../../shared/errors.js";
import type { ClientMethod, HostArgs, HostProgress, HostResult } from "../../shared/protocol.js";
import { type CallLimits, withTimeout } from "../lib/with-timeout.js";
import { repeatIfHung } from "./hung-worker.js";
import type { WorkerSlot } from "./pool.js";

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
    async call(method, args, { onProgress, ...limits }) {
      try {
        return await withTimeout(limits, (signal) =>
          slot.during(() =>
            repeatIfHung(signal, async () => (await slot.worker()).call(method, args, { signal, onProgress })),
          ),
        );
      } catch (error) {
        if (isInsituError(error) && error.code === "timeout") slot.endIfHung();
        throw error;
      }
    },
  };
}
