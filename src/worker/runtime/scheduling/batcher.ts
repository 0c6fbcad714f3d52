// Runs the predictions of one model that wait at the same time in one go, and each alone where that does not work.
import { isInsituError } from "../../../shared/errors.js";
import type { ModelTask, TensorSpec } from "../../../shared/types/manifest.js";
import type { BatchingOptions } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { ResilientRun } from "../session/resilient-session.js";
import type { BatchQueue } from "./scheduler.js";
import { agree, isBatched, join, split } from "./tensor-batch.js";

type Feeds = Record<string, TensorData>;
type Settled = PromiseSettledResult<ResilientRun>;

/** A measured middle: over 32 items a run of `digits` gains no more here, and each more is memory. */
export const MAX_BATCH_SIZE = 32;

export function createBatchQueue(
  run: (feeds: Feeds) => Promise<ResilientRun>,
  { inputs, outputs, task }: { inputs: TensorSpec[]; outputs: TensorSpec[]; task?: ModelTask },
  { maxBatchSize = MAX_BATCH_SIZE, batchTimeout = 0 }: BatchingOptions,
): BatchQueue<Feeds, ResilientRun> {
  // A ranking's call is a batch already, of as many items as it likes.
  let most = isBatched(inputs, outputs) && task?.kind !== "ranking" ? maxBatchSize : 1;
  /** Whether a batch was seen to give each item what it gets alone: a model may mix its items. */
  let isProven = false;

  const alone = async (items: Feeds[]): Promise<Settled[]> => {
    const results: Settled[] = [];
    for (const feeds of items) {
      const [settled] = await Promise.allSettled([run(feeds)]);
      results.push(settled as Settled);
    }
    return results;
  };

  const together = async (items: Feeds[]): Promise<Settled[] | undefined> => {
    const ran = await run(join(items));
    const parts = split(ran.outputs, items.length);
    if (!parts) return undefined;
    if (!isProven) {
      const [first, second] = items as [Feeds, Feeds];
      const single = await Promise.all([await run(first), await run(second)]);
      if (!single.every(({ outputs }, index) => agree(outputs, parts[index] ?? {}))) return undefined;
      isProven = true;
    }
    return parts.map((part) => ({ status: "fulfilled", value: { ...ran, outputs: part } }));
  };

  const runItems = async (items: Feeds[]): Promise<Settled[]> => {
    if (items.length === 1) return alone(items);
    try {
      const results = await together(items);
      if (results) return results;
      most = 1;
    } catch (error) {
      const half = items.length >> 1;
      if (half > 0 && isInsituError(error) && error.code === "out_of_memory") {
        most = half;
        return [...(await runItems(items.slice(0, half))), ...(await runItems(items.slice(half)))];
      }
      // One of them may be to blame; the others shall not notice.
    }
    return alone(items);
  };

  // The first batch is the smallest that can be compared.
  return { maxBatchSize: () => (isProven ? most : Math.min(most, 2)), batchTimeout, run: runItems };
}
