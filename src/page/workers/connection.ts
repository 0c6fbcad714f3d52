// Starts the worker, waits for its hello, and turns its death into a rejection of every call.
import { proxy, type Remote, wrap } from "comlink";
import { asInsituError, InsituError } from "../../shared/errors.js";
import {
  type Host,
  type HostConfig,
  type HostEvent,
  isReady,
  PROTOCOL,
  registerErrorTransfer,
} from "../../shared/protocol.js";
import type { WorkerSource } from "../api-types.js";
import { type CreatedWorker, createWorker } from "./create-worker.js";

export interface WorkerConnection {
  /** False once the worker has died or was ended. */
  alive(): boolean;
  /** Asks the host; rejects when the worker dies before it answers. */
  call<T>(ask: (host: Remote<Host>) => Promise<T>): Promise<T>;
  /** Ends it; open and later calls reject with `why`. */
  end(why: InsituError): void;
}

// Parsing a megabyte of script takes 100 ms here, and some seconds on a phone that is busy.
const READY_MS = 30_000;
const NO_SCRIPT =
  "its script could not be fetched, was blocked or is no valid script. Check its address and the Content-Security-Policy's worker-src";

/**
 * Resolves when the worker is ready and connected; `onDeath` is called when it can no longer be asked. When `end` aborts, also
 * before it is ready, it is ended, and open and later calls reject with `disposed`. Throws `worker_crashed`, `csp_blocked` or
 * `timeout`.
 */
/** Asks a worker under a fresh call number; when `signal` aborts, the worker is told. */
export type Ask = <T>(
  worker: WorkerConnection,
  signal: AbortSignal,
  run: (host: Remote<Host>, call: number) => Promise<T>,
) => Promise<T>;

export async function connectWorker(
  source: WorkerSource | undefined,
  config: HostConfig,
  onEvent: (event: HostEvent) => void,
  onDeath: (why: InsituError) => void,
  end: AbortSignal,
): Promise<WorkerConnection> {
  registerErrorTransfer();
  const made = createWorker(source);
  const { worker } = made;
  const host = wrap<Host>(worker);
  // A promise that every call is raced against would keep each of them in memory for the worker's life: hence a set.
  const open = new Set<(error: InsituError) => void>();
  let death: InsituError | undefined;

  const die = (error: InsituError) => {
    if (death) return;
    death = error;
    end.removeEventListener("abort", onEnd);
    onDeath(error);
    worker.terminate();
    for (const reject of open) reject(error);
    open.clear();
  };

  const call = <T>(ask: (host: Remote<Host>) => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (death) {
        reject(death);
        return;
      }
      open.add(reject);
      ask(host)
        // comlink's own errors, such as for an answer that cannot be cloned, have no code.
        .then(resolve, (error: unknown) => reject(asInsituError(error, "unknown", "The worker could not be asked")))
        .finally(() => open.delete(reject));
    });

  worker.addEventListener("messageerror", () => die(crashed("a message from it could not be read")));
  const onEnd = () => die(new InsituError("disposed", "The client was disposed; create a new one."));
  end.addEventListener("abort", onEnd);
  try {
    const connect = () => call((remote) => remote.connect(config, proxy(onEvent)) as unknown as Promise<void>);
    await ready(made, die, call, connect);
  } catch (error) {
    die(error as InsituError);
    throw error;
  }
  return { alive: () => !death, call, end: die };
}

/** Waits for the worker's first message and connects; afterwards an uncaught error in it is its death. */
async function ready(
  { worker, blocked, settled }: CreatedWorker,
  die: (error: InsituError) => void,
  call: WorkerConnection["call"],
  connect: () => Promise<void>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let started = false;
  const hello = new Promise<void>((resolve) => {
    worker.addEventListener("message", function onMessage({ data }: MessageEvent<unknown>) {
      if (!isReady(data)) return;
      worker.removeEventListener("message", onMessage);
      started = true;
      if (data.protocol === PROTOCOL) {
        resolve();
        return;
      }
      die(
        new InsituError(
          "worker_crashed",
          `The worker speaks protocol ${data.protocol}, the page ${PROTOCOL}: they are of two versions of insitu. Copy worker.js again from the installed package.`,
          { page: PROTOCOL, worker: data.protocol },
        ),
      );
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const { message, filename } = event;
      // A module script that cannot be fetched, is blocked or has a syntax error gives an event without a message in Chromium.
      if (started) die(crashed(message || "no message"));
      else if (message) die(crashed(`${message} (${filename})`));
      // Not before a browser that tells of what it blocked after the event has done so.
      else setTimeout(() => die(blocked() ?? crashed(NO_SCRIPT)));
    });
    timer = setTimeout(() => {
      die(
        new InsituError(
          "timeout",
          `The worker did not answer within ${READY_MS / 1000} s. Is the worker's script insitu's worker.js?`,
          { ms: READY_MS },
        ),
      );
    }, READY_MS);
  });
  try {
    await call(() => hello);
    await connect();
  } finally {
    clearTimeout(timer);
    settled();
  }
}

function crashed(what: string): InsituError {
  return new InsituError("worker_crashed", `The worker failed: ${what}. Load the model again to start a new one.`);
}
