// Gets requests to the collector: one at a time, again later when that may help, from the outbox when it does not.

import { createSerialQueue } from "../../../shared/serial-queue.js";
import type { DroppedRecords, DropReason } from "./accounting.js";
import { createOutbox, type Outbox } from "./outbox.js";
import type { ExportRequest } from "./requests.js";
import { createRetrySchedule } from "./retry-schedule.js";
import type { Transport } from "./transport.js";

export interface Delivery {
  /** Sends these requests, and those in the outbox; resolves when that is done or cannot be done now. Never rejects. */
  deliver(requests: ExportRequest[]): Promise<void>;
  /** Tries again after too many failures; the next `deliver` sends. */
  resume(): void;
  /**
   * Consent was withdrawn: ends the request that is on its way, and keeps it with these in memory. With `isDenied` all of them are dropped
   * instead, and what was stored.
   */
  withdraw(requests: ExportRequest[], isDenied: boolean): void;
  /** Stops sending; what was not sent is in the outbox. */
  close(): Promise<void>;
}

export interface DeliveryDeps {
  transport: Transport;
  storeName: string;
  /** Whether anything may be sent or stored now; asked before each request, whatever caused it. */
  maySend(): boolean;
  /** A request is done: it arrived, except for what was dropped. */
  onSettled(request: ExportRequest, dropped?: DroppedRecords): void;
}

export function createDelivery({ transport, storeName, maySend, onSettled }: DeliveryDeps): Delivery {
  const outbox = createOutbox(storeName);
  const waiting: ExportRequest[] = [];
  const enqueue = createSerialQueue();
  const run = () => enqueue(drain);
  const retries = createRetrySchedule(run);
  let end = new AbortController();

  /** False when the request must be sent again later. */
  const attempt = async (request: ExportRequest, { signal } = end): Promise<boolean> => {
    if (!maySend() || !retries.maySend()) return false;
    const result = await transport.send(request, { signal });
    if (result.kind === "retry") {
      if (!signal.aborted) retries.failed(result);
      return false;
    }
    retries.succeeded();
    onSettled(request, result.dropped);
    return true;
  };

  const drop = (reason: DropReason) => (request: ExportRequest) => onSettled(request, { reason });

  const next = () => (maySend() ? waiting.shift() : undefined);
  const drain = async () => {
    for (let request = next(); request; request = next()) {
      const { signal } = end;
      if (await attempt(request)) continue;
      // While it was on its way consent was withdrawn, and perhaps given again.
      if (signal.reason === true) drop("consent")(request);
      else if (signal.aborted) waiting.unshift(request);
      else (await outbox.put(request)).forEach(drop("outbox_overflow"));
    }
    if (maySend() && retries.maySend())
      await inOneTab(`insitu:${storeName}:outbox`, () => drainOutbox(outbox, drop("outbox_expired"), attempt));
  };

  return {
    deliver(requests) {
      waiting.push(...requests);
      return run();
    },
    resume: retries.resume,
    withdraw(requests, isDenied) {
      end.abort(isDenied);
      end = new AbortController();
      waiting.push(...requests);
      if (!isDenied) return;
      const dropAll = (gone: ExportRequest[]) => gone.forEach(drop("consent"));
      dropAll(waiting.splice(0));
      // After what is being stored.
      void enqueue(async () => dropAll(await outbox.clear()));
    },
    async close() {
      retries.close();
      await run();
    },
  };
}

/** Sends what is in the outbox until `attempt` returns false. */
async function drainOutbox(
  outbox: Outbox,
  onExpired: (request: ExportRequest) => void,
  attempt: (request: ExportRequest) => Promise<boolean>,
): Promise<void> {
  for (let next = await outbox.oldest(onExpired); next; next = await outbox.oldest(onExpired)) {
    if (!(await attempt(next))) return;
    // Removed last: a page that ends in between sends it again, and the collector counts it once.
    await outbox.remove(next.id);
  }
}

/** Runs `job` unless another tab of the site runs it now. */
async function inOneTab(name: string, job: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return job();
  try {
    await locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock) await job();
    });
  } catch {
    // Chrome refuses locks where a page may store nothing; then nothing is shared between tabs either.
    await job();
  }
}
