// One call to a loaded model: deadline, abort, the choice of a worker, and one repetition when that worker dies.
import { isInsituError } from "../../shared/errors.js";
import type { HostArgs, HostProgress, HostResult, ModelArgs, ModelMethod } from "../../shared/protocol.js";
import { withTimeout } from "../lib/with-timeout.js";
import { answers, endIfHung } from "./hung-worker.js";
import type { WorkerSlot } from "./pool.js";
import { createReplicas, type Replica, type ReplicasDeps } from "./replicas.js";
import type { CallOptions } from "./rpc.js";

/** Arguments of a call without the model's handle, and what of them is moved to the worker instead of copied. */
export interface CallInput<M extends ModelMethod> {
  args: ModelArgs<M>;
  transfer?: Transferable[];
}

export interface ModelRpc {
  /**
   * Calls the worker with the fewest open calls; with `ordered` always the first one, in the order of the calls. When it dies before it answers, the call is repeated once in another one.
   * @param input - The arguments, or what makes them: called at once, and a second time for the repetition, since what was moved to a
   * worker that died is lost.
   */
  call<M extends ModelMethod>(
    method: M,
    input: CallInput<M> | (() => Promise<CallInput<M>>),
    options: CallOptions<HostProgress<M>> & { ordered?: boolean },
  ): Promise<HostResult<M>>;
  /** Unloads the model everywhere. Never rejects. */
  dispose(): Promise<void>;
}

export function createModelRpc(deps: ReplicasDeps): ModelRpc {
  const replicas = createReplicas(deps);

  return {
    async call(method, input, { onProgress, ordered, ...limits }) {
      const prepare = typeof input === "function" ? input : async () => input;
      const attempt = async (index: number, signal: AbortSignal, prepared: Promise<CallInput<typeof method>>) => {
        const replica = await replicas.living(index);
        const { args, transfer } = await prepared;
        const all = [replica.handle, ...args] as unknown as HostArgs<typeof method>;
        return { replica, result: replica.worker.call(method, all, { signal, transfer, onProgress }) };
      };
      try {
        return await withTimeout(limits, (signal) => {
          // Before anything is awaited: the caller may draw the next image meanwhile.
          const prepared = prepare();
          // It is awaited when the worker is there, which may be late.
          prepared.catch(() => undefined);
          const index = ordered ? 0 : replicas.choose();
          return (deps.slots[index] as WorkerSlot).during(async () => {
            const { replica, result } = await attempt(index, signal, prepared);
            try {
              return await result;
            } catch (error) {
              // What the caller gave up may be what killed the worker.
              if (signal.aborted || !isDeath(error, replica)) throw error;
              return (await attempt(index, signal, prepare())).result;
            }
          });
        });
      } catch (error) {
        if (isInsituError(error) && error.code === "timeout") for (const slot of deps.slots) slot.endIfHung();
        throw error;
      }
    },
    async dispose() {
      await Promise.all(replicas.all().map((replica) => replica.then(unload).catch(() => undefined)));
    },
  };
}

function isDeath(error: unknown, { worker }: Replica): boolean {
  return !worker.alive() && isInsituError(error) && error.code === "worker_crashed";
}

async function unload({ worker, handle }: Replica): Promise<void> {
  // A dead worker holds nothing any more.
  if (!worker.alive() || (await answers(worker, () => worker.call("unload", [handle])))) return;
  await endIfHung(worker);
}
