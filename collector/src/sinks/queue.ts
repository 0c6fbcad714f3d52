// Hands deliveries to one sink, one at a time, again when that may help; what does not fit is dropped, the oldest first, and counted.
import type { Attempt, Delivery, Passed, Sink } from "./sink.js";

export interface SinkFigures {
  sent: number;
  dropped: number;
  retries: number;
  /** Items that wait. */
  waiting: number;
}

export interface SinkQueue {
  readonly name: string;
  offer(passed: Passed): void;
  figures(): SinkFigures;
  /** Waits until all is handed over, `ms` at most; what is left then is dropped. */
  close(ms: number): Promise<void>;
}

// Half an hour of a busy site, and little beside the database's memory.
const MAX_BYTES = 32 * 1024 * 1024;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export function createSinkQueue(
  sink: Sink,
  sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms).unref()),
): SinkQueue {
  const waiting: Delivery[] = [];
  const counts = { sent: 0, dropped: 0, retries: 0 };
  let bytes = 0;
  let running: Promise<void> | undefined;
  let isClosed = false;

  const drop = (items: number) => {
    counts.dropped += items;
  };

  const push = (delivery: Delivery) => {
    waiting.push(delivery);
    bytes += delivery.body.length;
    // The one on its way is not among them.
    while (bytes > MAX_BYTES && waiting.length > 1) drop(shift()?.items ?? 0);
  };

  const shift = () => {
    const delivery = waiting.shift();
    bytes -= delivery?.body.length ?? 0;
    return delivery;
  };

  /** Until it is handed over or refused. */
  const deliver = async (delivery: Delivery): Promise<void> => {
    let left: Delivery | undefined = delivery;
    for (let failures = 0; left; ) {
      const attempt: Attempt = await sink.send(left);
      if (attempt.kind === "refused") {
        console.error(`${sink.name} refused ${left.items} records: ${attempt.reason}`);
        return drop(left.items);
      }
      if (attempt.kind === "done") {
        counts.sent += left.items - attempt.failed - (attempt.again?.items ?? 0);
        drop(attempt.failed);
        left = attempt.again;
        if (!left) return;
      }
      if (isClosed) return drop(left.items);
      failures += 1;
      counts.retries += 1;
      const asked = attempt.kind === "retry" ? attempt.after : undefined;
      await sleep(asked ?? Math.random() * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures));
    }
  };

  const drain = async () => {
    for (let next = shift(); next; next = shift()) await deliver(next);
    running = undefined;
  };

  return {
    name: sink.name,
    offer(passed) {
      if (isClosed) return;
      for (const delivery of sink.pack(passed)) push(delivery);
      running ??= drain();
    },
    figures: () => ({ ...counts, waiting: waiting.reduce((sum, { items }) => sum + items, 0) }),
    async close(ms) {
      const late = new Promise<void>((done) => setTimeout(done, ms).unref());
      await Promise.race([running, late]);
      isClosed = true;
      for (let left = shift(); left; left = shift()) drop(left.items);
    },
  };
}
