// Gets requests to the collector: one at a time, again later when that may help, from the outbox when it does not.
import type { DroppedRecords } from "./accounting.js";
import { createOutbox } from "./outbox.js";
import type { ExportRequest } from "./requests.js";
import type { Transport, TransportResult } from "./transport.js";

export interface Delivery {
  /** Sends them, and what waits from before; resolves when that was done or cannot be done now. Never rejects. */
  deliver(parcels: ExportRequest[]): Promise<void>;
  /** Gives up all that waits. */
  clear(): Promise<void>;
  /** Nothing more is sent; what was not is in the outbox. */
  close(): Promise<void>;
}

export interface DeliveryDeps {
  post: Transport;
  storeName: string;
  /** It has arrived, but for what was lost. */
  onEnd(parcel: ExportRequest, loss?: DroppedRecords): void;
}

/** What an answer that is final leaves out. */
export function droppedRecordsOf(answer: Exclude<TransportResult, { kind: "retry" }>): DroppedRecords | undefined {
  if (answer.kind === "refused") return { reason: "rejected" };
  return answer.rejected > 0 ? { reason: "partial", count: answer.rejected } : undefined;
}

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
// A collector that is away stays so for a while, and the next page tries as well.
const MAX_FAILURES = 5;
// A collector that is being restarted refuses at once too, for a moment.
const MAX_BLOCKED = 3;

export function createDelivery({ post, storeName, onEnd }: DeliveryDeps): Delivery {
  const outbox = createOutbox(storeName);
  const fresh: ExportRequest[] = [];
  let running: Promise<void> = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let hasReached = false;
  /** Until the network changes: an extension blocks us, or the collector is away for long. */
  let isQuiet = false;
  let isClosed = false;

  const keep = async (parcel: ExportRequest) => {
    for (const gone of await outbox.put(parcel)) onEnd(gone, { reason: "outbox_overflow" });
  };

  const wait = ({ after, atOnce }: Extract<TransportResult, { kind: "retry" }>) => {
    failures += 1;
    // What never leaves the page, although nothing says that there is no network, is blocked: more tries would only fill the console.
    isQuiet = failures >= (atOnce && !hasReached ? MAX_BLOCKED : MAX_FAILURES);
    if (isQuiet || isClosed) return;
    const most = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (failures - 1));
    clearTimeout(timer);
    timer = setTimeout(() => void run(true), after ?? Math.random() * most);
  };

  /** False when it must be tried again later. */
  const attempt = async (parcel: ExportRequest): Promise<boolean> => {
    const answer = await post.send(parcel);
    if (answer.kind === "retry") {
      wait(answer);
      return false;
    }
    hasReached = true;
    failures = 0;
    onEnd(parcel, droppedRecordsOf(answer));
    return true;
  };

  const maySend = () => !isQuiet && !isClosed && globalThis.navigator?.onLine !== false;

  const drain = async () => {
    for (let parcel = fresh.shift(); parcel; parcel = fresh.shift()) {
      // While nothing can go, and as long as a collector asked for, all goes to the outbox.
      if (!maySend() || timer !== undefined || !(await attempt(parcel))) await keep(parcel);
    }
    if (timer === undefined && maySend()) await alone(drainOutbox);
  };

  const drainOutbox = async () => {
    const expired = (parcel: ExportRequest) => onEnd(parcel, { reason: "outbox_expired" });
    for (let parcel = await outbox.oldest(expired); parcel && maySend(); parcel = await outbox.oldest(expired)) {
      if (!(await attempt(parcel))) return;
      // Not before: a page that dies in between sends it again, and the collector counts it once.
      await outbox.remove(parcel.id);
    }
  };

  /** In one tab of the site at a time. */
  const alone = async (work: () => Promise<void>) => {
    const locks = globalThis.navigator?.locks;
    if (!locks) return work();
    try {
      await locks.request(`insitu:${storeName}:outbox`, { ifAvailable: true }, async (lock) => {
        if (lock) await work();
      });
    } catch {
      // Chrome refuses locks where a page may store nothing; then nothing is shared either.
      await work();
    }
  };

  /** One at a time; what a collector asked to wait for is waited for. */
  const run = (isDue = false): Promise<void> => {
    if (isDue) {
      clearTimeout(timer);
      timer = undefined;
    }
    running = running.then(drain);
    return running;
  };

  const onOnline = () => {
    isQuiet = false;
    failures = 0;
    void run(true);
  };
  const onVisible = () => {
    if (document.visibilityState !== "visible" || !hasReached) return;
    onOnline();
  };
  globalThis.addEventListener?.("online", onOnline);
  globalThis.document?.addEventListener("visibilitychange", onVisible);

  return {
    deliver(parcels) {
      fresh.push(...parcels);
      return run();
    },
    async clear() {
      for (const parcel of fresh.splice(0)) onEnd(parcel, { reason: "consent" });
      for (const parcel of await outbox.clear()) onEnd(parcel, { reason: "consent" });
    },
    async close() {
      globalThis.removeEventListener?.("online", onOnline);
      globalThis.document?.removeEventListener("visibilitychange", onVisible);
      isClosed = true;
      clearTimeout(timer);
      await run();
    },
  };
}
