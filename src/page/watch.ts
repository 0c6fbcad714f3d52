// Predicts what a video or canvas shows, over and over: the newest frame wins, and frames that come too fast are counted.

import { InsituError } from "../shared/errors.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { Prediction } from "../shared/types/model.js";
import type { PredictInput, PredictOptions, Watch, WatchOptions, WatchSource } from "./api-types.js";
import { type FrameSource, openFrames } from "./frames.js";
import { createNotifier } from "./lib/notifier.js";

type Predict<K extends TaskKind> = (input: PredictInput, options: PredictOptions) => Promise<Prediction<K>>;

/** Begins with the first `next()`; see `Model.watch`. Throws `input_invalid` for another source or interval. */
export function watch<K extends TaskKind>(
  predict: Predict<K>,
  source: WatchSource,
  options: WatchOptions = {},
): Watch<K> {
  const counts = { seen: 0, dropped: 0 };
  const stop = new AbortController();
  const results = run(predict, openFrames(source, options.every ?? "frame"), options, counts, stop);
  const end = async () => {
    // A generator that waits would hear of it only with the next frame.
    stop.abort();
    return results.return(undefined);
  };
  return {
    [Symbol.asyncIterator]: () => ({ next: () => results.next(), return: end }),
    [Symbol.asyncDispose]: async () => void (await end()),
    stop: () => void end(),
    get seen() {
      return counts.seen;
    },
    get dropped() {
      return counts.dropped;
    },
  };
}

async function* run<K extends TaskKind>(
  predict: Predict<K>,
  frames: FrameSource,
  { signal, ...options }: WatchOptions,
  counts: { seen: number; dropped: number },
  stop: AbortController,
): AsyncGenerator<Prediction<K>, undefined, undefined> {
  const bell = createNotifier();
  let isFresh = false;
  let isOver = false;
  let failure: { error: unknown } | undefined;
  let calling = false;
  let ready: Prediction<K> | undefined;

  /** Begins the next prediction, unless one runs or waits to be taken: what is shown now is what it predicts. */
  const begin = async () => {
    if (!isFresh || calling || ready || failure || stop.signal.aborted) return;
    isFresh = false;
    calling = true;
    try {
      ready = await predict(frames.picture, { ...options, signal: stop.signal });
    } catch (error) {
      failure = { error };
    }
    calling = false;
    bell.notify();
  };
  const onFrame = () => {
    counts.seen += 1;
    // The frame before was never predicted, and this one replaces it.
    if (isFresh) counts.dropped += 1;
    isFresh = true;
    void begin();
  };
  const onEnd = (error?: InsituError) => {
    isOver = true;
    if (error) failure ??= { error };
    bell.notify();
  };
  const onAbort = () => stop.abort();
  signal?.addEventListener("abort", onAbort);
  stop.signal.addEventListener("abort", bell.notify);
  const close = stop.signal.aborted || signal?.aborted ? undefined : frames.open(onFrame, onEnd);
  try {
    while (!stop.signal.aborted && !signal?.aborted) {
      if (ready) {
        const prediction = ready;
        ready = undefined;
        // While the caller is busy with this one.
        void begin();
        yield prediction;
        continue;
      }
      if (failure) throw failure.error;
      if (isOver && !calling && !isFresh) return;
      void begin();
      if (!ready) await bell.wait();
    }
    // What the caller ended with `stop()` or by leaving the loop ends quietly.
    if (signal?.aborted)
      throw new InsituError("aborted", "Watching was aborted.", { ...counts }, { cause: signal.reason });
  } finally {
    close?.();
    signal?.removeEventListener("abort", onAbort);
    stop.abort();
  }
}
