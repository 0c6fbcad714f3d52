// One model in the workers of a client: calls go where least is waiting, and are repeated once when their worker dies.
import type { Remote } from "comlink";
import { InsituError, isInsituError } from "../../shared/errors.js";
import type { Host, LoadedModel, Residence } from "../../shared/protocol.js";
import { withTimeout } from "../lib/with-timeout.js";
import type { PooledWorker, WorkerSlot } from "./pool.js";

/** The model in one worker. */
export interface Replica {
  worker: PooledWorker;
  /** The worker's number for it. */
  handle: number;
}

export interface Replicas {
  /**
   * Asks a worker that has the model, which is loaded again where it died. `run` is called a second time when the worker dies
   * before it answers, unless `signal` has aborted.
   */
  ask<T>(signal: AbortSignal, run: (worker: PooledWorker, handle: number) => Promise<T>): Promise<T>;
  /** A call of the model was late: a worker that does not answer within five seconds hangs, and is ended. */
  checkResponsive(): void;
  /** Unloads the model everywhere. Never rejects. */
  dispose(): Promise<void>;
}

export interface ReplicasDeps {
  slots: WorkerSlot[];
  first: Replica;
  /** Loads the model into a worker that does not have it; from the store, as a rule. */
  load(worker: PooledWorker): Promise<LoadedModel>;
  /** Hears what the worker of the first slot found out. */
  onResidence(residence: Residence): void;
  /** A worker died, and the model is in another now. */
  onReload(info: LoadedModel["info"]): void;
}

// A run of a large model on cpu takes seconds, in which a worker cannot answer although it is well.
const HANG_MS = 5_000;

export function createReplicas({ slots, first, load, onResidence, onReload }: ReplicasDeps): Replicas {
  const replicas: (Promise<Replica> | undefined)[] = [Promise.resolve(first)];
  /** Whether the replica can be asked at once. */
  const ready: boolean[] = [true];
  first.worker.onResidence(first.handle, onResidence);

  const replicaIn = (index: number): Promise<Replica> => {
    replicas[index] ??= open(index).catch((error: unknown) => {
      replicas[index] = undefined;
      throw error;
    });
    return replicas[index];
  };

  // Counted as a call: a worker that was made ready for nothing ends when it has been idle.
  const open = (index: number): Promise<Replica> => {
    const slot = slots[index] as WorkerSlot;
    return slot.during(async () => {
      const worker = await slot.worker();
      const { model, info } = await load(worker);
      if (index === 0) {
        onReload(info);
        worker.onResidence(model, onResidence);
      }
      ready[index] = true;
      return { worker, handle: model };
    });
  };

  /** The one with the fewest open calls; while all are busy a further one is made ready, and used when it is. */
  const choose = (): number => {
    let best = 0;
    for (const [index, slot] of slots.entries())
      if (ready[index] && slot.calls() < (slots[best] as WorkerSlot).calls()) best = index;
    const spare = (slots[best] as WorkerSlot).calls() > 0 ? slots.findIndex((_, index) => !replicas[index]) : -1;
    // What fails there is told by the calls that go there.
    if (spare > 0) void replicaIn(spare).catch(() => undefined);
    return best;
  };

  const living = async (index: number): Promise<Replica> => {
    const replica = await replicaIn(index);
    if (replica.worker.alive()) return replica;
    replicas[index] = undefined;
    ready[index] = false;
    return replicaIn(index);
  };

  return {
    async ask(signal, run) {
      const index = choose();
      return (slots[index] as WorkerSlot).during(async () => {
        const { worker, handle } = await living(index);
        try {
          return await run(worker, handle);
        } catch (error) {
          // Other failures are the call's own, and what the caller gave up may be what killed the worker.
          if (signal.aborted || worker.alive() || !isInsituError(error) || error.code !== "worker_crashed") throw error;
          const next = await living(index);
          return run(next.worker, next.handle);
        }
      });
    },
    checkResponsive() {
      for (const replica of replicas) void replica?.then(({ worker }) => endIfHung(worker)).catch(() => undefined);
    },
    async dispose() {
      await Promise.all(replicas.map((replica) => replica?.then(unload).catch(() => undefined)));
    },
  };
}

async function endIfHung(worker: PooledWorker): Promise<void> {
  if (!worker.alive() || (await answers(worker, (host) => host.ping()))) return;
  const message = `The worker did not answer for ${HANG_MS / 1000} s and was ended. Its models are loaded again with the next call.`;
  worker.end(new InsituError("worker_crashed", message, { reason: "hung" }));
}

async function unload({ worker, handle }: Replica): Promise<void> {
  // A dead worker holds nothing any more.
  if (!worker.alive() || (await answers(worker, (host) => host.unload(handle)))) return;
  await endIfHung(worker);
}

/** False when the worker did not answer in time. */
async function answers(worker: PooledWorker, ask: (host: Remote<Host>) => Promise<void>): Promise<boolean> {
  try {
    await withTimeout({ timeout: HANG_MS, what: "Asking the worker" }, () => worker.call(ask));
    return true;
  } catch {
    return !worker.alive();
  }
}
