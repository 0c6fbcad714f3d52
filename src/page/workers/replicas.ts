// One model in the workers of a client: which worker has it, and which one is free.
import type { LoadedModel, Residence } from "../../shared/protocol.js";
import type { PooledWorker, WorkerSlot } from "./pool.js";

/** The model in one worker. */
export interface Replica {
  worker: PooledWorker;
  /** The worker's number for it. */
  handle: number;
}

export interface Replicas {
  /** Index of the slot with the fewest open calls among those that have the model. While all are busy another one is prepared. */
  choose(): number;
  /** The replica in a slot; the model is loaded again where its worker died. */
  living(index: number): Promise<Replica>;
  /** All replicas that there are or that are being loaded. */
  all(): Promise<Replica>[];
}

export interface ReplicasDeps {
  slots: WorkerSlot[];
  first: Replica;
  /** Loads the model into a worker that does not have it; from the store, as a rule. */
  load(worker: PooledWorker): Promise<LoadedModel>;
  /** Called with where the model of the first slot runs. */
  onResidence(residence: Residence): void;
  /** Called when a worker died and the model is in another one. */
  onReload(info: LoadedModel["info"]): void;
}

export function createReplicas({ slots, first, load, onResidence, onReload }: ReplicasDeps): Replicas {
  const replicas: (Promise<Replica> | undefined)[] = [Promise.resolve(first)];
  /** Whether the replica can be called at once. */
  const ready: boolean[] = [true];
  first.worker.onResidence(first.handle, onResidence);

  // Counted as a call: a worker that was prepared for nothing ends when it has been idle.
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

  const replicaIn = (index: number): Promise<Replica> => {
    replicas[index] ??= open(index).catch((error: unknown) => {
      replicas[index] = undefined;
      throw error;
    });
    return replicas[index];
  };

  return {
    choose() {
      let best = 0;
      for (const [index, slot] of slots.entries())
        if (ready[index] && slot.calls() < (slots[best] as WorkerSlot).calls()) best = index;
      const spare = (slots[best] as WorkerSlot).calls() > 0 ? slots.findIndex((_, index) => !replicas[index]) : -1;
      // A failure there is reported by the calls that go there.
      if (spare > 0) void replicaIn(spare).catch(() => undefined);
      return best;
    },
    async living(index) {
      const replica = await replicaIn(index);
      if (replica.worker.alive()) return replica;
      replicas[index] = undefined;
      ready[index] = false;
      return replicaIn(index);
    },
    all: () => replicas.filter((replica) => replica !== undefined),
  };
}
