// The workers of a client: started when first needed, replaced when they die, more than one while there is work for them.

import { InsituError } from "../../shared/errors.js";
import type { BackendChange, HostConfig, HostEvent, Residence, WorkerMemory } from "../../shared/protocol.js";
import type { Backend } from "../../shared/types/tensor.js";
import type { WorkerSource } from "../api-types.js";
import { connectWorker, type WorkerConnection } from "./connection.js";
import type { ShutdownLog } from "./shutdown-log.js";

/** What each worker is started with; the rest is its own. */
export type SharedConfig = Omit<HostConfig, "workerId" | "shutDownWorkers" | "maxThreads">;

export interface WorkerPoolDeps {
  source: WorkerSource | undefined;
  /** Asked at each start. */
  config(): SharedConfig;
  /** Most workers. */
  pool: number;
  /** Bytes of WebAssembly memory that a worker may hold in vain. */
  maxHeldBytes: number;
  closed: ShutdownLog;
  onEvent(event: Exclude<HostEvent, { kind: "residence" }>): void;
  onTrouble(trouble: WorkerIncident): void;
}

/** A model's backend failed, or a worker ended that nobody had ended. */
export type WorkerIncident =
  | { kind: "moved"; moved: BackendChange; to: Backend }
  | { kind: "died"; error: InsituError };

export interface PooledWorker extends WorkerConnection {
  /** What it holds. One that holds much in vain is ended once it is idle. */
  holds(memory: WorkerMemory): void;
  /** Hears where a model of this worker runs, whenever that changes. */
  onResidence(model: number, told: (residence: Residence) => void): void;
}

/** A place for one worker. */
export interface WorkerSlot {
  /** The running worker, or a new one when there is none yet or the last one died. */
  worker(): Promise<PooledWorker>;
  /** Calls that have not been answered. */
  calls(): number;
  /** Counts a call as long as it runs. */
  during<T>(run: () => Promise<T>): Promise<T>;
}

export interface WorkerPool {
  /** The worker of the first stays; those of the others end when they have been idle for half a minute. */
  readonly slots: [WorkerSlot, ...WorkerSlot[]];
  /** Ends all; open and later calls reject with `disposed`. */
  end(): void;
}

// Outlives a pause between two batches; a worker costs some 50 MB and its copies of the models.
const IDLE_MS = 30_000;

export function createWorkerPool(parts: WorkerPoolDeps): WorkerPool {
  const ended = new AbortController();
  const spares = Array.from({ length: parts.pool - 1 }, () => createSlot(parts, true, ended.signal));
  return { slots: [createSlot(parts, false, ended.signal), ...spares], end: () => ended.abort() };
}

function createSlot(parts: WorkerPoolDeps, isSpare: boolean, ended: AbortSignal): WorkerSlot {
  let worker: Promise<PooledWorker> | undefined;
  let calls = 0;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let isSwollen = false;
  const holds = ({ held, used }: WorkerMemory) => {
    isSwollen = held > parts.maxHeldBytes && used < held / 2;
  };

  const running = async (): Promise<PooledWorker> => {
    if (ended.aborted) throw new InsituError("disposed", "The client was disposed; create a new one.");
    // Without a wait before it is set, or two calls at once would start two.
    worker ??= begin();
    return worker;
  };

  const begin = (): Promise<PooledWorker> => {
    const forget = () => {
      if (worker === mine) worker = undefined;
    };
    isSwollen = false;
    const mine = start({ ...parts, holds }, forget, ended);
    mine.catch(forget);
    return mine;
  };

  const release = () =>
    void worker?.then(
      ({ end }) => end(new InsituError("disposed", "The worker was idle and was shut down.")),
      () => 0,
    );

  return {
    worker: running,
    calls: () => calls,
    async during(run) {
      calls += 1;
      clearTimeout(idle);
      try {
        return await run();
      } finally {
        calls -= 1;
        if (calls === 0 && isSwollen) release();
        else if (calls === 0 && isSpare) idle = setTimeout(release, IDLE_MS);
      }
    },
  };
}

async function start(
  { source, config, pool, closed, onEvent, onTrouble, holds }: WorkerPoolDeps & Pick<PooledWorker, "holds">,
  onDeath: () => void,
  ended: AbortSignal,
): Promise<PooledWorker> {
  const me = `insitu:alive:${Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-")}`;
  // An event may overtake the answer that names the model.
  const residences = new Map<number, Residence>();
  const listeners = new Map<number, (residence: Residence) => void>();
  const hear = (event: HostEvent) => {
    if (event.kind !== "residence") return onEvent(event);
    if (event.moved) onTrouble({ kind: "moved", moved: event.moved, to: event.residence.backend });
    for (const model of event.models) {
      residences.set(model, event.residence);
      listeners.get(model)?.(event.residence);
    }
  };
  // Workers that compute at the same time share the cores.
  const maxThreads = Math.max(1, Math.floor((globalThis.navigator?.hardwareConcurrency ?? 1) / pool));
  closed.open(me);
  const died = (error: InsituError) => {
    // Ended by us; what died on its own is not in peace.
    if (error.code === "disposed") closed.close(me);
    else onTrouble({ kind: "died", error });
    onDeath();
  };
  const spawned = await connectWorker(
    source,
    { ...config(), workerId: me, maxThreads, shutDownWorkers: closed.names() },
    hear,
    died,
    ended,
  );
  return {
    ...spawned,
    holds,
    onResidence(model, told) {
      listeners.set(model, told);
      const known = residences.get(model);
      if (known) told(known);
    },
  };
}
