// Sends deliveries to one sink, one at a time, with retries; a full queue drops its oldest deliveries and counts them.
import type { Delivery, SendResult, Sink, SinkBatch } from "./sink.js";

export interface SinkCounts {
  /** Items that the sink accepted. */
  sent: number;
  dropped: number;
  retries: number;
  /** Items that wait. */
  waiting: number;
}

export interface SinkQueue {
  readonly name: string;
  offer(batch: SinkBatch): void;
  counts(): SinkCounts;
  /** Waits until everything is sent, at most `ms` milliseconds; what is left then is dropped. */
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
  const counts = { sent: 0, dropped: 0, retries: 0 };
  const drop = (items: number) => {
    counts.dropped += items;
  };
  const waiting = createBoundedQueue(drop);
  let running: Promise<void> | undefined;
  let isClosed = false;

  /** Sends until the delivery is accepted or refused. */
  const deliver = async (delivery: Delivery): Promise<void> => {
    let left = delivery;
    for (let failures = 1; ; failures += 1) {
      const result: SendResult = await sink.send(left);
      if (result.kind === "refused") {
        console.error(`${sink.name} refused ${left.items} records: ${result.reason}`);
        return drop(left.items);
      }
      if (result.kind === "done") {
        counts.sent += left.items - result.failed - (result.again?.items ?? 0);
        drop(result.failed);
        if (!result.again) return;
        left = result.again;
      }
      if (isClosed) return drop(left.items);
      counts.retries += 1;
      const requested = result.kind === "retry" ? result.after : undefined;
      await sleep(requested ?? Math.random() * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures));
    }
  };

  const drain = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await deliver(next);
    running = undefined;
  };

  return {
    name: sink.name,
    offer(batch) {
      if (isClosed) return;
      sink.pack(batch).forEach(waiting.push);
      running ??= drain();
    },
    counts: () => ({ ...counts, waiting: waiting.items() }),
    async close(ms) {
      const deadline = new Promise<void>((done) => setTimeout(done, ms).unref());
      await Promise.race([running, deadline]);
      isClosed = true;
      for (let left = waiting.shift(); left; left = waiting.shift()) drop(left.items);
    },
  };
}

/** First in, first out; the delivery that is being sent is not in it. */
function createBoundedQueue(onDrop: (items: number) => void) {
  const deliveries: Delivery[] = [];
  let bytes = 0;
  const shift = () => {
    const delivery = deliveries.shift();
    bytes -= delivery?.body.length ?? 0;
    return delivery;
  };
  return {
    shift,
    push(delivery: Delivery) {
      deliveries.push(delivery);
      bytes += delivery.body.length;
      while (bytes > MAX_BYTES && deliveries.length > 1) onDrop(shift()?.items ?? 0);
    },
    items: () => deliveries.reduce((sum, { items }) => sum + items, 0),
  };
}
