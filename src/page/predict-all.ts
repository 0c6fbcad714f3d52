// Starts `predictAll`; its code is fetched when it is first used.
import type { TaskKind } from "../shared/types/manifest.js";
import type { Prediction } from "../shared/types/model.js";
import type { PredictAllOptions, PredictInput } from "./api-types.js";
import type { PredictAllDeps } from "./lazy/predict-all/predict-all.js";
import { loadChunk } from "./lib/load-chunk.js";

type Results<K extends TaskKind> = AsyncGenerator<Prediction<K>, void, undefined>;

/** Starts with the first `next()`, which rejects with `network` where the code cannot be fetched. */
export function predictAll<K extends TaskKind>(
  deps: PredictAllDeps<K>,
  inputs: Iterable<PredictInput> | AsyncIterable<PredictInput>,
  options?: PredictAllOptions<K>,
): Results<K> {
  let results: Promise<Results<K>> | undefined;
  let isOver = false;
  const open = () => {
    results ??= loadChunk(import("./lazy/predict-all/predict-all.js")).then(({ predictAll }) =>
      predictAll(deps, inputs, options),
    );
    return results;
  };
  const over = () => ({ done: true, value: undefined }) as const;
  /** Ends the sequence. Without code that was fetched there is nothing to end: `Array.fromAsync` of V8 never settles when this rejects. */
  const end = async (run: (all: Results<K>) => Promise<IteratorResult<Prediction<K>, void>>) => {
    isOver = true;
    return results ? results.then(run, over) : over();
  };
  const all = {
    next: async () => (isOver && !results ? over() : (await open()).next()),
    return: (value) => end((all) => all.return(value)),
    throw: (error) => end((all) => all.throw(error)).then(() => Promise.reject(error)),
    [Symbol.asyncIterator]: () => all,
    [Symbol.asyncDispose]: async () => void (await all.return()),
  } as Results<K>;
  return all;
}
