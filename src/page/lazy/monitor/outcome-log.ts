// What was predicted lately, and how it turned out: enough to judge a model by, and nothing of what was put in.
import type { Table } from "../../lib/idb-table.js";

/** One prediction. */
export interface Outcome {
  /** Of the prediction. */
  id: string;
  /** The model's name. */
  model: string;
  version: string;
  arm: string;
  /** Index of the predicted class, and how sure it was, 0 to 1; where the task has classes. */
  class?: number;
  confidence?: number;
  /** Milliseconds since 1970. */
  time: number;
  truth?: Truth;
}

export interface Truth {
  /** 0 to 1: 1 is right. */
  score: number;
  /** Index of the true class, where it is known. */
  class?: number;
}

export interface OutcomeLog {
  add(outcome: Outcome): void;
  /**
   * Keeps what `change` makes of one, if anything, also of one of an earlier page or another tab; answers what it was before,
   * undefined when it is too old or was never there.
   */
  change(id: string, change: (outcome: Outcome) => Outcome | undefined): Promise<Outcome | undefined>;
  /** Those of this page, and of earlier ones once they were read; the oldest first. */
  all(): Outcome[];
  /** Resolves once earlier pages' were read. */
  readonly read: Promise<void>;
  /** Writes what is new. */
  flush(): Promise<void>;
  clear(): Promise<void>;
}

const MAX_OUTCOMES = 1_000;
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
// One transaction for a burst of predictions.
const WRITE_MS = 1_000;

export function createOutcomeLog(model: string, table: Table<Outcome>, now = Date.now): OutcomeLog {
  const held = new Map<string, Outcome>();
  const unwritten = new Map<string, Outcome>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const isFresh = ({ time }: Outcome) => Math.abs(now() - time) <= MAX_AGE_MS;
  const newest = (outcomes: Outcome[]) =>
    outcomes
      .filter(isFresh)
      .sort((a, b) => a.time - b.time)
      .slice(-MAX_OUTCOMES);

  const add = (outcome: Outcome) => {
    held.set(outcome.id, outcome);
    // The first that was put in is the oldest of this page.
    if (held.size > MAX_OUTCOMES) held.delete(held.keys().next().value as string);
    unwritten.set(outcome.id, outcome);
    timer ??= setTimeout(() => void flush(), WRITE_MS);
  };

  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const written = [...unwritten.values()];
    unwritten.clear();
    if (written.length === 0) return;
    // Not waited for: a page that ends has no time for the answers, and the transaction has.
    await table.change(async (rows) => {
      for (const outcome of written) void rows.put(outcome).catch(() => undefined);
    });
    await table.change(async (rows) => {
      const mine = (await rows.all()).filter((row) => row.model === model);
      const kept = new Set(newest(mine).map(({ id }) => id));
      for (const { id } of mine) if (!kept.has(id)) await rows.remove(id);
    });
  };

  const stored = async () => (await table.change((rows) => rows.all())).filter((row) => row.model === model);
  const read = stored().then((rows) => {
    const mine = [...held];
    held.clear();
    for (const row of newest(rows)) held.set(row.id, row);
    for (const [id, outcome] of mine) held.set(id, outcome);
  });

  return {
    read,
    add,
    async change(id, change) {
      // In one transaction, so that two tabs that are told the same truth do not both count it.
      await flush();
      return table.change(async (rows) => {
        const before = await rows.get(id);
        if (!before || !isFresh(before)) return undefined;
        const after = change(before);
        if (after) await rows.put(after);
        // Another tab may have been told of it meanwhile.
        if (before.model === model) held.set(id, after ?? before);
        return before;
      });
    },
    all: () => newest([...held.values()]),
    flush,
    async clear() {
      held.clear();
      unwritten.clear();
      await table.change(async (rows) => {
        for (const row of await rows.all()) if (row.model === model) await rows.remove(row.id);
      });
    },
  };
}
