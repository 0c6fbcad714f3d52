// Sends deliveries to one sink, one at a time, with retries; a full queue drops its oldest deliveries and counts them.
import { setTimeout as wait } from "node:timers/promises";
import { createBoundedQueue } from "./bounded-queue.js";
import type { Delivery, SendResult, Sink, SinkBatch } from "./sink.js";

export interface SinkCounts {
  /** Items that the sink accepted. */
  sent: number;
  dropped: number;
  retries: number;
  /** Items that the last run left, and that this one sends. */
  restored: number;
  /** Items that wait. */
  waiting: number;
}

export interface SinkQueue {
  readonly name: string;
  /** Never throws: an error of one sink must not reach the others, nor the sender. */
  offer(batch: SinkBatch): void;
  /** Sends what the last run left, before everything else. */
  restore(deliveries: readonly Delivery[]): void;
  counts(): SinkCounts;
  /** Tries at once to send what waits, for at most `ms` milliseconds; resolves with what is left. */
  close(ms: number): Promise<Delivery[]>;
}

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/**
 * Ends early, without an error, when the signal is aborted. It keeps the process alive: while a collector closes nothing else does, and what
 * waits must be stored.
 */
const sleepFor: Sleep = (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined);

export function createSinkQueue(sink: Sink, sleep: Sleep = sleepFor): SinkQueue {
  const counts = { sent: 0, dropped: 0, retries: 0, restored: 0 };
  const drop = (items: number) => {
    counts.dropped += items;
  };
  const waiting = createBoundedQueue(drop);
  // Aborted when closing begins (no wait between two attempts is longer than the time that is left), and when it ends.
  const [closing, ended] = [new AbortController(), new AbortController()];
  let closesAt = Number.POSITIVE_INFINITY;
  /** Being sent, or what of it may be sent again. */
  let current: Delivery | undefined;
  let running: Promise<void> | undefined;

  /** Sends `current` until it is accepted or refused; when there is no time left for another attempt it stays. */
  const deliver = async (): Promise<void> => {
    for (let failures = 1; current && !ended.signal.aborted; failures += 1) {
      const result = await attempt(sink, current, ended.signal);
      const outcome = outcomeOf(sink, current, result);
      counts.sent += outcome.sent;
      drop(outcome.dropped);
      current = outcome.left;
      if (!current) return;
      const ms = delayOf(result, closing.signal.aborted ? 0 : failures);
      if (Date.now() + ms > closesAt) return;
      counts.retries += 1;
      await sleep(ms, (closing.signal.aborted ? ended : closing).signal);
    }
  };

  const drain = async () => {
    while (!current && !ended.signal.aborted) {
      current = waiting.shift();
      if (!current) break;
      await deliver();
    }
    running = undefined;
  };

  return {
    name: sink.name,
    offer(batch) {
      if (closing.signal.aborted) return drop(batch.points.length + batch.events.length);
      pack(sink, batch, drop).forEach(waiting.push);
      running ??= drain();
    },
    restore(deliveries) {
      deliveries.forEach(waiting.push);
      counts.restored += deliveries.reduce((sum, { items }) => sum + items, 0);
      if (deliveries.length > 0) running ??= drain();
    },
    counts: () => ({ ...counts, waiting: waiting.items() }),
    async close(ms) {
      closesAt = Date.now() + ms;
      closing.abort();
      await Promise.race([running, sleepFor(ms, ended.signal)]);
      ended.abort();
      return [...(current ? [current] : []), ...waiting.takeAll()];
    },
  };
}

/** Milliseconds until the next attempt. */
function delayOf(result: SendResult, failures: number): number {
  const asked = result.kind === "retry" ? result.after : undefined;
  return asked ?? Math.random() * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures);
}

/** Items that the sink accepted, items that it will never accept, and what may be sent again. */
function outcomeOf({ name }: Sink, delivery: Delivery, result: SendResult) {
  const { items } = delivery;
  if (result.kind === "retry") return { sent: 0, dropped: 0, left: delivery };
  if (result.kind === "refused") {
    console.error(`${name} refused ${items} records: ${result.reason}`);
    return { sent: 0, dropped: items, left: undefined };
  }
  const { failed, again } = result;
  return { sent: items - failed - (again?.items ?? 0), dropped: failed, left: again };
}

/** `Sink.send` must not reject. When it does, another attempt would do the same. */
async function attempt(sink: Sink, delivery: Delivery, signal: AbortSignal): Promise<SendResult> {
  try {
    return await sink.send(delivery, signal);
  } catch (error) {
    return { kind: "refused", reason: String(error) };
  }
}

function pack(sink: Sink, batch: SinkBatch, drop: (items: number) => void): Delivery[] {
  try {
    return sink.pack(batch);
  } catch (error) {
    const items = batch.points.length + batch.events.length;
    console.error(`${items} records could not be written for ${sink.name}: ${error}`);
    drop(items);
    return [];
  }
}
