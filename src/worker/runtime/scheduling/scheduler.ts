// Lets one thing use the engine at a time: by priority, then in order, batches of one model together; a failure never reaches the next.
import { InsituError } from "../../../shared/errors.js";
import type { PredictPriority } from "../../../shared/types/model.js";
import { bucket } from "./tensor-batch.js";

/** What runs the items of one model, at most `maxBatchSize` at once, which may change from run to run. */
export interface BatchQueue<Item, Result> {
  maxBatchSize(): number;
  /** Milliseconds that a batch which is not full waits for more. */
  batchTimeout: number;
  /** One result or error an item. */
  run(items: Item[]): Promise<PromiseSettledResult<Result>[]>;
}

export interface Turn {
  priority?: PredictPriority;
  /** Drops what waits; what runs goes on, and its caller has been told already. */
  signal?: AbortSignal;
}

export interface Scheduler {
  /** Waits for its turn among the lane's others and everybody else's. */
  enqueue<Item, Result>(lane: BatchQueue<Item, Result>, item: Item, turn: Turn): Promise<Result>;
  /** Runs alone. */
  runExclusive<T>(run: () => Promise<T>, turn?: Turn): Promise<T>;
  /** Nothing runs or waits. */
  isIdle(): boolean;
}

interface Waiting {
  rank: number;
  since: number;
  /** Undefined: runs alone. */
  lane?: BatchQueue<unknown, unknown>;
  item?: unknown;
  run?: () => Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

const RANKS: Record<PredictPriority, number> = { high: 0, normal: 1, low: 2 };

// A message to oneself takes some 20 µs. Should one be lost, this is how long everybody waits.
const LOST_MS = 50;

/** Calls back in a task of its own; `setTimeout` alone would take 1 to 4 ms. */
function inATask(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  let next: (() => void) | undefined;
  return (run) => {
    const once = () => {
      if (next !== once) return;
      next = undefined;
      clearTimeout(timer);
      run();
    };
    const timer = setTimeout(once, LOST_MS);
    next = once;
    port1.onmessage = () => next?.();
    try {
      port2.postMessage(0);
    } catch {
      // The timer is left.
    }
  };
}

export function createScheduler(
  now: () => number = () => performance.now(),
  afterMessages: (run: () => void) => void = inATask(),
): Scheduler {
  /** In the order in which they will run. */
  let waiting: Waiting[] = [];
  let busy = false;
  let isSoon = false;
  let wake: ReturnType<typeof setTimeout> | undefined;

  const add = <T>(given: Pick<Waiting, "lane" | "item" | "run">, { priority = "normal", signal }: Turn): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const drop = () => {
        waiting = waiting.filter((other) => other !== entry);
        reject(new InsituError("aborted", "The call was aborted before it began."));
      };
      const end = () => signal?.removeEventListener("abort", drop);
      const entry: Waiting = {
        ...given,
        rank: RANKS[priority],
        since: now(),
        resolve(result) {
          end();
          resolve(result as T);
        },
        reject(error) {
          end();
          reject(error);
        },
      };
      if (signal?.aborted) {
        drop();
        return;
      }
      signal?.addEventListener("abort", drop);
      const after = waiting.findLastIndex((other) => other.rank <= entry.rank);
      waiting.splice(after + 1, 0, entry);
      soon();
    });

  /** After all messages that have arrived: what they ask for may run together with this, or before it. */
  const soon = () => {
    if (busy || isSoon) return;
    isSoon = true;
    afterMessages(() => {
      isSoon = false;
      next();
    });
  };

  const next = () => {
    clearTimeout(wake);
    wake = undefined;
    if (busy || waiting.length === 0) return;
    const turn = take();
    if (typeof turn === "number") {
      wake = setTimeout(next, turn);
      return;
    }
    busy = true;
    void runAll(turn).finally(() => {
      busy = false;
      soon();
    });
  };

  /** The entries whose turn it is; or, while each waits for others to run with, the milliseconds until one need not. */
  const take = (): Waiting[] | number => {
    let patience = Number.POSITIVE_INFINITY;
    const seen = new Set<unknown>();
    for (const entry of waiting) {
      const { lane } = entry;
      if (lane && seen.has(lane)) continue;
      seen.add(lane);
      const most = lane?.maxBatchSize() ?? 1;
      const mates = lane ? waiting.filter((other) => other.lane === lane).slice(0, most) : [entry];
      const left = lane && mates.length < most ? lane.batchTimeout - (now() - entry.since) : 0;
      if (left > 0) {
        patience = Math.min(patience, left);
        continue;
      }
      const together = new Set(mates.slice(0, bucket(mates.length, most)));
      waiting = waiting.filter((other) => !together.has(other));
      return [...together];
    }
    return patience;
  };

  return {
    enqueue: (lane, item, turn) => add({ lane: lane as BatchQueue<unknown, unknown>, item }, turn),
    runExclusive: (run, turn = {}) => add({ run }, turn),
    isIdle: () => !busy && waiting.length === 0,
  };
}

async function runAll(turn: Waiting[]): Promise<void> {
  const [first] = turn;
  try {
    if (first?.run) {
      first.resolve(await first.run());
      return;
    }
    const results = (await first?.lane?.run(turn.map(({ item }) => item))) ?? [];
    for (const [index, entry] of turn.entries()) {
      const result = results[index];
      if (result?.status === "fulfilled") entry.resolve(result.value);
      else entry.reject(result?.reason);
    }
  } catch (error) {
    for (const entry of turn) entry.reject(error);
  }
}
