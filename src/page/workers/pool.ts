// The workers of a client: started when first needed, replaced when they die, more than one while there is work for them.
import { InsituError } from "../../shared/errors.js";
import { randomHex } from "../../shared/hex.js";
import type { BackendChange, HostConfig, Residence, WorkerMemory } from "../../shared/protocol.js";
import type { Backend } from "../../shared/types/tensor.js";
import type { WorkerSource } from "../api-types.js";
import { connectWorker, type WorkerConnection, type WorkerEvent } from "./connection.js";
import { endIfHung } from "./hung-worker.js";
import type { ShutdownLog } from "./shutdown-log.js";

/** The part of a worker's configuration that all workers share. */
export type SharedConfig = Omit<HostConfig, "workerId" | "shutDownWorkers" | "maxThreads">;

export interface WorkerPoolDeps {
  source: WorkerSource | undefined;
  /** Called at each start. */
  config(): SharedConfig;
  /** Maximum number of workers. */
  pool: number;
  /** Bytes of WebAssembly memory above which a worker is recycled when idle, if it uses under half of them. */
  maxHeldBytes: number;
  shutdownLog: ShutdownLog;
  onEvent(event: Exclude<WorkerEvent, { kind: "residence" }>): void;
  onIncident(incident: WorkerIncident): void;
}

/** A model's backend failed, or a worker died. */
export type WorkerIncident =
  | { kind: "moved"; change: BackendChange; to: Backend }
  | { kind: "died"; error: InsituError };

export interface PooledWorker extends WorkerConnection {
  /** Calls back with where a model of this worker runs, now if that is known, and whenever it changes. */
  onResidence(model: number, listener: (residence: Residence) => void): void;
}

/** A place for one worker. */
export interface WorkerSlot {
  /** The running worker, or a new one when there is none yet or the last one died. */
  worker(): Promise<PooledWorker>;
  /** Ends the worker if it does not answer. Returns at once. */
  endIfHung(): void;
  /** Number of open calls. */
  calls(): number;
  /** Counts a call for as long as it runs; a worker without calls may be recycled. */
  during<T>(run: () => Promise<T>): Promise<T>;
}

export interface WorkerPool {
  /** The worker of the first slot stays; those of the others end when they have been idle for half a minute. */
  readonly slots: [WorkerSlot, ...WorkerSlot[]];
  /** A place for one more worker, which ends when it has been idle for half a minute. */
  spare(): WorkerSlot;
  /** Ends all workers; open and later calls reject with `disposed`. */
  end(): void;
}

// Longer than a pause between two batches; a worker costs some 50 MB and its copies of the models.
const IDLE_MS = 30_000;
/** Of the workers of this page, which die together when it crashes. */
const PAGE_ID = randomHex();

export function createWorkerPool(deps: WorkerPoolDeps): WorkerPool {
  const ended = new AbortController();
  const spare = () => createSlot(deps, true, ended.signal);
  const spares = Array.from({ length: deps.pool - 1 }, spare);
  return { slots: [createSlot(deps, false, ended.signal), ...spares], spare, end: () => ended.abort() };
}

function createSlot(deps: WorkerPoolDeps, isSpare: boolean, ended: AbortSignal): WorkerSlot {
  let worker: Promise<PooledWorker> | undefined;
  let calls = 0;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let isSwollen = false;
  const onMemory = ({ held, used }: WorkerMemory) => {
    isSwollen = held > deps.maxHeldBytes && used < held / 2;
  };

  const begin = (): Promise<PooledWorker> => {
    const forget = () => {
      if (worker === starting) worker = undefined;
    };
    isSwollen = false;
    const starting = startWorker(deps, onMemory, forget, ended);
    starting.catch(forget);
    return starting;
  };

  const release = () =>
    void worker?.then(
      ({ end }) => end(new InsituError("disposed", "The worker was idle and was shut down.")),
      () => undefined,
    );

  return {
    async worker() {
      if (ended.aborted) throw new InsituError("disposed", "The client was disposed; create a new one.");
      // No await before it is set: two calls at once would start two workers.
      worker ??= begin();
      return worker;
    },
    endIfHung: () => void worker?.then(endIfHung, () => undefined),
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

async function startWorker(
  deps: WorkerPoolDeps,
  onMemory: (memory: WorkerMemory) => void,
  onDeath: () => void,
  end: AbortSignal,
): Promise<PooledWorker> {
  const { shutdownLog } = deps;
  const workerId = `insitu:alive:${PAGE_ID}/${randomHex()}`;
  const residences = createResidences(deps.onIncident);
  shutdownLog.open(workerId);
  const connection = await connectWorker({
    source: deps.source,
    config: { ...deps.config(), workerId, maxThreads: threadsOf(deps.pool), shutDownWorkers: shutdownLog.names() },
    onEvent: (event) => (event.kind === "residence" ? residences.update(event) : deps.onEvent(event)),
    onDeath(error) {
      // Shut down by us: what was running did not crash.
      if (error.code === "disposed") shutdownLog.close(workerId);
      else deps.onIncident({ kind: "died", error });
      onDeath();
    },
    end,
  });
  return {
    ...connection,
    async call(method, args, options) {
      const result = await connection.call(method, args, options);
      const { memory } = (result ?? {}) as { memory?: WorkerMemory };
      if (memory) onMemory(memory);
      return result;
    },
    onResidence: residences.listen,
  };
}

/** Workers that compute at the same time share the cores. */
function threadsOf(pool: number): number {
  return Math.max(1, Math.floor((globalThis.navigator?.hardwareConcurrency ?? 1) / pool));
}

/** Where the models of one worker run. An event may arrive before the answer that names the model. */
function createResidences(onIncident: WorkerPoolDeps["onIncident"]) {
  const known = new Map<number, Residence>();
  const listeners = new Map<number, (residence: Residence) => void>();
  return {
    update({ models, residence, moved }: Extract<WorkerEvent, { kind: "residence" }>) {
      if (moved) onIncident({ kind: "moved", change: moved, to: residence.backend });
      for (const model of models) {
        known.set(model, residence);
        listeners.get(model)?.(residence);
      }
    },
    listen(model: number, listener: (residence: Residence) => void) {
      listeners.set(model, listener);
      const residence = known.get(model);
      if (residence) listener(residence);
    },
  };
}
