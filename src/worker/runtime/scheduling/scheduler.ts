// Lets one job use the engine at a time: by priority, then in order, items of one model in batches; a failed job does not stop the next.
import { InsituError } from "../../../shared/errors.js";
import { nextTask } from "../../../shared/next-task.js";
import type { PredictPriority } from "../../../shared/types/model.js";
import { bucket } from "./tensor-batch.js";

/** Runs the items of one model, at most `maxBatchSize()` at once, which may change from run to run. */
export interface BatchQueue<Item, Result> {
  maxBatchSize(): number;
  /** Milliseconds that a batch which is not full waits for more items. */
  batchTimeout: number;
  /** Returns one result or error for each item. */
  run(items: Item[]): Promise<PromiseSettledResult<Result>[]>;
}

export interface EnqueueOptions {
  priority?: PredictPriority;
  /** Removes a job that has not started. A job that runs is not stopped; its caller has been rejected already. */
  signal?: AbortSignal;
}

interface Entry {
  rank: number;
  enqueuedAt: number;
  /** Undefined: the entry runs on its own. */
  queue?: BatchQueue<unknown, unknown>;
  item?: unknown;
  job?: () => Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** The engine in the hands of one job. */
export interface Turn {
  /** Lets others use the engine until `wait` settles, and settles as it does once the job has the engine again, before all that wait. */
  away<T>(wait: Promise<T>): Promise<T>;
}

const RANKS: Record<PredictPriority, number> = { high: 0, normal: 1, low: 2 };

// A message to the own thread takes about 20 µs. If one is lost, the scheduler continues after this time.
const LOST_MESSAGE_MS = 50;

/** Calls `run` once, in a later task, after messages that have arrived; a timer alone would take 1 to 4 ms. */
function inNextTask(run: () => void): void {
  const { scheduler } = globalThis as { scheduler?: { postTask?(run: () => void): unknown } };
  // Chromium and Firefox; it takes 10 µs.
  if (scheduler?.postTask) scheduler.postTask(run);
  else inNextMessage(run);
}

function inNextMessage(run: () => void): void {
  let isDone = false;
  const once = () => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    run();
  };
  const timer = setTimeout(once, LOST_MESSAGE_MS);
  // Where no message can be sent the timer remains.
  nextTask().then(once, () => undefined);
}

export class Scheduler {
  readonly #now: () => number;
  readonly #afterMessages: (run: () => void) => void;
  /** In the order in which they will run. */
  #waiting: Entry[] = [];
  #isBusy = false;
  #isScheduled = false;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => number = () => performance.now(), afterMessages: (run: () => void) => void = inNextTask) {
    this.#now = now;
    this.#afterMessages = afterMessages;
  }

  /** Waits behind the other entries of the same rank, and runs in a batch with items of the same queue. */
  enqueue<Item, Result>(queue: BatchQueue<Item, Result>, item: Item, options: EnqueueOptions): Promise<Result> {
    return this.#add({ queue: queue as BatchQueue<unknown, unknown>, item }, options);
  }

  /** Runs the job while nothing else uses the engine, but for the times that its turn is `away`. */
  async runExclusive<T>(job: (turn: Turn) => Promise<T>, options: EnqueueOptions = {}): Promise<T> {
    let end = await this.#take(options);
    const turn: Turn = {
      away: async (wait) => {
        end();
        await wait.catch(() => undefined);
        end = await this.#take({ priority: "high" });
        return wait;
      },
    };
    try {
      return await job(turn);
    } finally {
      end();
    }
  }

  /** True while nothing runs or waits. */
  isIdle(): boolean {
    return !this.#isBusy && this.#waiting.length === 0;
  }

  /** Resolves once nothing else uses the engine, with what gives it back. */
  #take(options: EnqueueOptions): Promise<() => void> {
    return new Promise((taken, refused) => {
      const job = () => new Promise<void>((end) => taken(end));
      this.#add({ job }, options).catch(refused);
    });
  }

  #add<T>(work: Pick<Entry, "queue" | "item" | "job">, { priority = "normal", signal }: EnqueueOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const drop = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(new InsituError("aborted", "The call was aborted before it started."));
      };
      const end = () => signal?.removeEventListener("abort", drop);
      const entry: Entry = {
        ...work,
        rank: RANKS[priority],
        enqueuedAt: this.#now(),
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
      const after = this.#waiting.findLastIndex((other) => other.rank <= entry.rank);
      this.#waiting.splice(after + 1, 0, entry);
      this.#schedule();
    });
  }

  /** Starts the next run after all messages that have arrived: their calls may run in the same batch, or before it. */
  #schedule(): void {
    if (this.#isBusy || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#afterMessages(() => {
      this.#isScheduled = false;
      this.#runNext();
    });
  }

  #runNext(): void {
    clearTimeout(this.#wakeTimer);
    this.#wakeTimer = undefined;
    if (this.#isBusy || this.#waiting.length === 0) return;
    const next = this.#takeNext();
    if (typeof next === "number") {
      this.#wakeTimer = setTimeout(() => this.#runNext(), next);
      return;
    }
    this.#isBusy = true;
    void runEntries(next).finally(() => {
      this.#isBusy = false;
      this.#schedule();
    });
  }

  /** The entries to run now; or, while every queue waits for a full batch, the milliseconds until one stops waiting. */
  #takeNext(): Entry[] | number {
    let wait = Number.POSITIVE_INFINITY;
    const seen = new Set<unknown>();
    for (const entry of this.#waiting) {
      const { queue } = entry;
      if (queue && seen.has(queue)) continue;
      seen.add(queue);
      const maxSize = queue?.maxBatchSize() ?? 1;
      const candidates = queue ? this.#waiting.filter((other) => other.queue === queue).slice(0, maxSize) : [entry];
      const isFull = candidates.length >= maxSize;
      const remaining = queue && !isFull ? queue.batchTimeout - (this.#now() - entry.enqueuedAt) : 0;
      if (remaining > 0) {
        wait = Math.min(wait, remaining);
        continue;
      }
      const batch = new Set(candidates.slice(0, bucket(candidates.length, maxSize)));
      this.#waiting = this.#waiting.filter((other) => !batch.has(other));
      return [...batch];
    }
    return wait;
  }
}

async function runEntries(entries: Entry[]): Promise<void> {
  const [first] = entries;
  try {
    if (first?.job) {
      first.resolve(await first.job());
      return;
    }
    const results = (await first?.queue?.run(entries.map(({ item }) => item))) ?? [];
    for (const [index, entry] of entries.entries()) {
      const result = results[index];
      if (result?.status === "fulfilled") entry.resolve(result.value);
      else entry.reject(result?.reason);
    }
  } catch (error) {
    for (const entry of entries) entry.reject(error);
  }
}
