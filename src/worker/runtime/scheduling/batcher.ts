// Runs predictions of one model that wait at the same time as one batch, and one after the other where that gives other results.
import { isInsituError } from "../../../shared/errors.js";
import type { ModelTask, TensorSpec } from "../../../shared/types/manifest.js";
import type { BatchingOptions } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { ResilientRun } from "../session/resilient-session.js";
import type { BatchQueue } from "./scheduler.js";
import { agree, areAlike, isBatched, join, split } from "./tensor-batch.js";

type Feeds = Record<string, TensorData>;
type Settled = PromiseSettledResult<ResilientRun>;

/** Measured on `digits`: above 32 items a larger batch is not faster, and needs more memory. */
const MAX_BATCH_SIZE = 32;

export function createBatchQueue(
  run: (feeds: Feeds, items: number) => Promise<ResilientRun>,
  { inputs, outputs, task }: { inputs: TensorSpec[]; outputs: TensorSpec[]; task?: ModelTask },
  { maxBatchSize = MAX_BATCH_SIZE, batchTimeout = 0 }: BatchingOptions = {},
  /** False where the items of a batch are to run one after the other. */
  mayJoin: () => boolean = () => true,
): BatchQueue<Feeds, ResilientRun> {
  // One call of a ranking is a batch already, of any number of items.
  let maxSize = isBatched(inputs, outputs) && task?.kind !== "ranking" ? maxBatchSize : 1;
  /** Whether a batch gave each item what it gets on its own: a model may mix the items of a batch. */
  let isVerified = false;

  const runEach = async (items: Feeds[]): Promise<Settled[]> => {
    const results: Settled[] = [];
    for (const feeds of items) {
      const [settled] = await Promise.allSettled([run(feeds, 1)]);
      results.push(settled as Settled);
    }
    return results;
  };

  const runJoined = async (items: Feeds[]): Promise<Settled[] | undefined> => {
    const result = await run(join(items), items.length);
    const parts = split(result.outputs, items.length);
    if (!parts) return undefined;
    if (!isVerified) {
      const [first, second] = items as [Feeds, Feeds];
      const single = await Promise.all([await run(first, 1), await run(second, 1)]);
      if (!single.every(({ outputs }, index) => agree(outputs, parts[index] ?? {}))) return undefined;
      isVerified = true;
    }
    return parts.map((part) => ({ status: "fulfilled", value: { ...result, outputs: part, items: items.length } }));
  };

  const runItems = async (items: Feeds[]): Promise<Settled[]> => {
    if (items.length === 1 || !mayJoin() || !areAlike(items)) return runEach(items);
    try {
      const results = await runJoined(items);
      if (results) return results;
      maxSize = 1;
    } catch (error) {
      const half = items.length >> 1;
      if (half > 0 && isInsituError(error) && error.code === "out_of_memory") {
        maxSize = half;
        return [...(await runItems(items.slice(0, half))), ...(await runItems(items.slice(half)))];
      }
      // One item may have caused the error; the others must not fail with it.
    }
    return runEach(items);
  };

  // The first batch has two items: the smallest that can be compared with single runs.
  return { maxBatchSize: () => (isVerified ? maxSize : Math.min(maxSize, 2)), batchTimeout, run: runItems };
}
