// The connection to one worker: handshake, calls by number, and the worker's death as a rejection of every open call.
import { proxy, type Remote, transfer, wrap } from "comlink";
import { onAbort } from "../../shared/abort.js";
import { asInsituError, type ErrorCode, InsituError } from "../../shared/errors.js";
import {
  type Host,
  type HostArgs,
  type HostConfig,
  type HostEvent,
  type HostMethod,
  type HostProgress,
  type HostResult,
  isReady,
  PROTOCOL,
  registerErrorTransfer,
} from "../../shared/protocol.js";
import type { WorkerSource } from "../api-types.js";
import { OTHER_ORIGIN } from "../input/capture-image.js";
import type { WorkerFailure } from "../lazy/worker-failure/worker-failure.js";
import { callListener } from "../lib/call-listener.js";
import { type CreatedWorker, createWorker, workerError } from "./create-worker.js";
import { openPredictChannel, type PredictChannel } from "./predict-calls.js";

export interface WorkerCallOptions<P = unknown> {
  /** When it aborts, the worker is told to stop the call. */
  signal?: AbortSignal;
  /** Moved instead of copied; must be reachable from the arguments. */
  transfer?: Transferable[];
  onProgress?: (progress: P) => void;
}

export interface WorkerConnection {
  /** False once the worker has died or was shut down. */
  alive(): boolean;
  /** Rejects with the worker's error, or with `worker_crashed` when the worker dies before it answers. */
  call<M extends HostMethod>(
    method: M,
    args: HostArgs<M>,
    options?: WorkerCallOptions<HostProgress<M>>,
  ): Promise<HostResult<M>>;
  /** Terminates the worker; open and later calls reject with `reason`. */
  end(reason: InsituError): void;
}

/** Events that are not about a single call. */
export type WorkerEvent = Exclude<HostEvent, { kind: "progress" }>;

export interface ConnectionDeps {
  source: WorkerSource | undefined;
  config: HostConfig;
  onEvent(event: WorkerEvent): void;
  /** Called once, when the worker can no longer be called. */
  onDeath(reason: InsituError): void;
  /** Ends the worker when it aborts, also before the worker is ready; calls then reject with `disposed`. */
  end: AbortSignal;
}

type AnyMethod = (call: number, ...args: unknown[]) => Promise<unknown>;

// Parsing a megabyte of script takes 100 ms here, and some seconds on a phone that is busy.
const READY_MS = 30_000;

/** Resolves when the worker is ready. Rejects with `worker_crashed`, `csp_blocked`, `timeout` or `disposed`. */
export async function connectWorker(deps: ConnectionDeps): Promise<WorkerConnection> {
  registerErrorTransfer();
  const created = await tryCreate(deps.source);
  const { worker } = created;
  // A promise that every call is raced against would keep each of them in memory for the worker's life: hence a set.
  const open = new Set<(error: InsituError) => void>();
  let death: InsituError | undefined;

  const die = (error: InsituError) => {
    if (death) return;
    death = error;
    unlink();
    deps.onDeath(error);
    worker.terminate();
    for (const reject of open) reject(error);
    open.clear();
  };
  const unlink = onAbort(deps.end, () =>
    queueMicrotask(() => die(new InsituError("disposed", "The client was disposed; create a new one."))),
  );

  /** Settles as `run` does, or rejects when the worker dies. */
  const whileAlive = <T>(run: () => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (death) return reject(death);
      open.add(reject);
      run()
        .then(resolve, (error: unknown) =>
          reject(asInsituError(error, codeOf(error), `The call to the worker failed. ${OTHER_ORIGIN}`)),
        )
        .finally(() => open.delete(reject));
    });

  const host = wrap<Host>(worker);
  const { call, onEvent } = createCalls(host, openPredictChannel(worker), deps.onEvent, whileAlive);
  try {
    await whileAlive(() => ready(created, die));
    // Not awaited: the calls that follow arrive after it, and need not wait for its answer.
    whileAlive(() => host.connect(deps.config, proxy(onEvent))).catch(die);
  } catch (error) {
    die(error as InsituError);
    throw error;
  } finally {
    created.settled();
  }
  return { alive: () => !death, call, end: die };
}

/** Rejects with an `InsituError`. */
async function tryCreate(source: WorkerSource | undefined): Promise<CreatedWorker> {
  try {
    return createWorker(source);
  } catch (error) {
    throw error instanceof InsituError
      ? error
      : await workerError({ kind: "refused", cause: error, ...(error as Partial<WorkerFailure>) });
  }
}

/** The calls of one worker by number, their abort and their progress. */
function createCalls(
  host: Remote<Host>,
  predictions: PredictChannel,
  onOther: ConnectionDeps["onEvent"],
  whileAlive: <T>(run: () => Promise<T>) => Promise<T>,
) {
  const listeners = new Map<number, (progress: never) => void>();
  let calls = 0;
  const call: WorkerConnection["call"] = (method, args, { signal, transfer: moved = [], onProgress } = {}) => {
    // The worker would receive the abort before the call, and run it.
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++calls;
    if (onProgress) listeners.set(id, onProgress);
    const abort = () => {
      // The worker would receive the abort before a call that still waits, and run it.
      predictions.flush();
      return host.abort(id);
    };
    const stop = onAbort(signal, () => void whileAlive(abort).catch(() => undefined));
    const run = () =>
      method === "predict"
        ? predictions.send([id, ...(args as HostArgs<"predict">)], moved)
        : (host[method] as unknown as AnyMethod)(id, ...args);
    // comlink moves what was marked on any object among the arguments.
    if (method !== "predict" && moved.length > 0)
      transfer(args.find((arg) => typeof arg === "object") as object, moved);
    return whileAlive<unknown>(run).finally(() => {
      stop();
      listeners.delete(id);
    }) as Promise<never>;
  };
  const onEvent = (event: HostEvent) => {
    if (event.kind === "progress") callListener(listeners.get(event.call), event.progress as never);
    else onOther(event);
  };
  return { call, onEvent };
}

/** Resolves with the worker's first message; from then on an uncaught error in the worker is its death. Never rejects: it calls `die`. */
function ready({ worker, facts }: CreatedWorker, die: (error: InsituError) => void): Promise<void> {
  const fail = (failure: Pick<WorkerFailure, "kind" | "timeout" | "versions">) =>
    void workerError({ ...facts(), ...failure }).then(die);
  return new Promise((resolve) => {
    let started = false;
    const timer = setTimeout(() => fail({ kind: "late", timeout: READY_MS }), READY_MS);
    worker.addEventListener("message", function onMessage({ data }: MessageEvent<unknown>) {
      if (!isReady(data)) return;
      worker.removeEventListener("message", onMessage);
      clearTimeout(timer);
      started = true;
      if (data.protocol === PROTOCOL) resolve();
      else fail({ kind: "version", versions: { page: PROTOCOL, worker: data.protocol } });
    });
    worker.addEventListener("messageerror", () => die(crashed("a message from it could not be read")));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      const { message, filename } = event;
      if (started) die(crashed(message || "no message"));
      else if (message) die(crashed(`${message} (${filename})`));
      // A module script that cannot be fetched, is blocked or has a syntax error gives an event without a message in Chromium. The
      // browser may report what it blocked only after this event.
      else setTimeout(() => fail({ kind: "script" }));
    });
  });
}

/** Of an error without a code: the browser's for what it cannot copy into a worker, such as a function among options, or comlink's. */
const codeOf = (error: unknown): ErrorCode =>
  (error as DOMException).name === "DataCloneError" ? "input_invalid" : "unknown";

function crashed(detail: string): InsituError {
  return new InsituError("worker_crashed", `The worker failed: ${detail}. Load the model again to start a new one.`);
}
