// Recent predictions with their truths: enough to compute a model's accuracy, and nothing of the inputs.

import type { Table } from "../../lib/idb-table.js";

/** One prediction. */
export interface Outcome {
  /** Id of the prediction. */
  id: string;
  /** Name of the model. */
  model: string;
  version: string;
  arm: string;
  /** Index of the predicted class; for tasks with classes. */
  class?: number;
  /** 0 to 1; for tasks with classes. */
  confidence?: number;
  /** When it was predicted, epoch milliseconds. */
  time: number;
  truth?: Truth;
}

export interface Truth {
  /** 0 (wrong) to 1 (right). */
  score: number;
  /** Index of the true class, where it is known. */
  class?: number;
}

export interface OutcomeLog {
  add(outcome: Outcome): void;
  /**
   * Stores what `change` returns for one outcome, if anything; also for one of an earlier page or another tab. Resolves with the outcome
   * before the change, undefined when it is too old or unknown.
   */
  change(id: string, change: (outcome: Outcome) => Outcome | undefined): Promise<Outcome | undefined>;
  /** Those of this page and, once they were read, of earlier ones; the oldest first. */
  all(): Outcome[];
  /** Resolves once those of earlier pages were read. */
  readonly read: Promise<void>;
  /** Writes what is new. */
  flush(): Promise<void>;
  /** Another tab cleared the outcomes: drops those of this page, also from the table, which may have got some since. */
  drop(): Promise<void>;
  clear(): Promise<void>;
  /** How often the outcomes were cleared, here or by another tab. */
  clears(): number;
}

const MAX_OUTCOMES = 1_000;
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
// One transaction for a burst of predictions.
const WRITE_MS = 1_000;
// Of hundreds a second most would be removed a second after they were written, which took 7 % of a prediction of 0.8 ms.
const MAX_WRITE_MS = 10 * WRITE_MS;
const FEW = 50;

export function createOutcomeLog(model: string, table: Table<Outcome>, now = Date.now): OutcomeLog {
  const held = new Map<string, Outcome>();
  const unwritten = new Map<string, Outcome>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writeMs = WRITE_MS;
  let clears = 0;
  const isOwn = (row: Outcome) => row.model === model;

  const empty = () => {
    clears += 1;
    for (const outcomes of [held, unwritten]) outcomes.clear();
  };

  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const outcomes = [...unwritten.values()];
    const begun = clears;
    unwritten.clear();
    writeMs = Math.min(MAX_WRITE_MS, WRITE_MS * Math.max(1, outcomes.length / FEW));
    // The transaction begins later.
    if (outcomes.length > 0) await write(table, model, () => (begun === clears ? outcomes : []), now());
  };

  const read = table
    .change((rows) => rows.all())
    .then((rows) => {
      if (clears === 0) putBefore(held, newest(rows.filter(isOwn), now()));
    });

  return {
    read,
    add(outcome) {
      for (const outcomes of [held, unwritten]) {
        outcomes.set(outcome.id, outcome);
        // The first entry is the oldest of this page.
        if (outcomes.size > MAX_OUTCOMES) outcomes.delete(outcomes.keys().next().value as string);
      }
      timer ??= setTimeout(() => void flush(), writeMs);
    },
    async change(id, change) {
      const begun = clears;
      await flush();
      // In one transaction, so that two tabs that receive the same truth do not both count it.
      return table.change(async (rows) => {
        const before = await rows.get(id);
        if (!before || !isFresh(before, now())) return undefined;
        const after = change(before);
        if (after) await rows.put(after);
        // Another tab may have changed it meanwhile.
        if (isOwn(before) && begun === clears) held.set(id, after ?? before);
        return before;
      });
    },
    all: () => newest([...held.values()], now()),
    flush,
    async drop() {
      const ids = [...held.keys()];
      empty();
      await table.change(async (rows) => {
        for (const id of ids) await rows.remove(id);
      });
    },
    async clear() {
      empty();
      await table.change(async (rows) => {
        for (const row of (await rows.all()).filter(isOwn)) await rows.remove(row.id);
      });
    },
    clears: () => clears,
  };
}

/** Those that are held already stay, and are the newest. */
function putBefore(held: Map<string, Outcome>, stored: readonly Outcome[]): void {
  const own = [...held];
  held.clear();
  for (const row of stored) held.set(row.id, row);
  for (const [id, outcome] of own) held.set(id, outcome);
}

/** Writes outcomes, and removes those of the model that are too many or too old. */
async function write(table: Table<Outcome>, model: string, due: () => Outcome[], now: number): Promise<void> {
  // Not awaited one by one: a page that ends has no time for the responses, but the transaction completes.
  await table.change(async (rows) => {
    for (const outcome of due()) void rows.put(outcome).catch(() => undefined);
  });
  await table.change(async (rows) => {
    const stored = (await rows.all()).filter((row) => row.model === model);
    const kept = new Set(newest(stored, now).map(({ id }) => id));
    for (const { id } of stored) if (!kept.has(id)) await rows.remove(id);
  });
}

const isFresh = ({ time }: Outcome, now: number) => Math.abs(now - time) <= MAX_AGE_MS;

const newest = (outcomes: Outcome[], now: number) =>
  outcomes
    .filter((outcome) => isFresh(outcome, now))
    .sort((a, b) => a.time - b.time)
    .slice(-MAX_OUTCOMES);
