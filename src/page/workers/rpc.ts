// One call to a worker of the client: deadline, abort, and the worker's start or replacement.
import type { ClientMethod, HostArgs, HostProgress, HostResult } from "../../shared/protocol.js";
import { type CallLimits, withTimeout } from "../lib/with-timeout.js";
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
    call: (method, args, { onProgress, ...limits }) =>
      withTimeout(limits, (signal) =>
        slot.during(async () => (await slot.worker()).call(method, args, { signal, onProgress })),
      ),
  };
}
