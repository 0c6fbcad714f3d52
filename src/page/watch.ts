// Predicts what a video or canvas shows, over and over: the newest frame is predicted, frames that come too fast and failures are counted.

import { onAbort } from "../shared/abort.js";
import { asInsituError, type ErrorCode, InsituError } from "../shared/errors.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { Prediction } from "../shared/types/model.js";
import type { PredictInput, PredictOptions, Watch, WatchOptions, WatchSource } from "./api-types.js";
import { type FrameSource, isGone, openFrames } from "./frames.js";
import { callListener } from "./lib/call-listener.js";
import { checkType, readOptions } from "./lib/check-option.js";
import { createNotifier } from "./lib/notifier.js";

type Predict<K extends TaskKind> = (input: PredictInput, options: PredictOptions) => Promise<Prediction<K>>;

/** Starts with the first `next()`; see `Model.watch`. Throws `input_invalid` for another source or interval. */
export function watch<K extends TaskKind>(predict: Predict<K>, source: WatchSource, given?: WatchOptions): Watch<K> {
  const options = readOptions(given);
  checkType("onError", options.onError, "function");
  const counts = { seen: 0, dropped: 0, failed: 0 };
  const stop = new AbortController();
  const results = run(predict, openFrames(source, options.every ?? "frame"), options, counts, stop);
  const end = async () => {
    // A generator that waits would react only with the next frame.
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
    get failed() {
      return counts.failed;
    },
  };
}

interface Counts {
  seen: number;
  dropped: number;
  failed: number;
}

/** With these the next frame fails too: what was asked for, and what the caller has to correct. */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["aborted", "disposed", "input_invalid"]);

async function* run<K extends TaskKind>(
  predict: Predict<K>,
  frames: FrameSource,
  options: WatchOptions,
  counts: Counts,
  stop: AbortController,
): AsyncGenerator<Prediction<K>, undefined, undefined> {
  const { signal, every: _, onError, ...each } = options;
  const notifier = createNotifier();
  const latest = createLatest({
    predict: () => predict(frames.source, { ...each, signal: stop.signal }),
    isGone: () => isGone(frames.source),
    counts,
    stop: stop.signal,
    notify: notifier.notify,
    // A failure that nobody hears of would look like a video without a change.
    onFailure: (error, isFirst) => callListener(onError ?? (isFirst ? reportError : undefined), error),
  });
  const unlink = onAbort(signal, () => stop.abort());
  stop.signal.addEventListener("abort", notifier.notify);
  const close = stop.signal.aborted ? undefined : frames.open(latest.onFrame, latest.onEnd);
  try {
    while (!stop.signal.aborted) {
      const prediction = latest.take();
      if (prediction) {
        yield prediction;
        continue;
      }
      if (latest.isOver()) return;
      if (!latest.isReady()) await notifier.wait();
    }
    // What the caller ended with `stop()` or by leaving the loop ends without an error.
    if (signal?.aborted)
      throw new InsituError("aborted", "Watching was aborted.", { ...counts }, { cause: signal.reason });
  } finally {
    close?.();
    unlink();
    stop.abort();
  }
}

interface LatestDeps<T> {
  predict(): Promise<T>;
  isGone(): boolean;
  counts: Counts;
  stop: AbortSignal;
  notify(): void;
  /** A prediction failed, and the watch goes on; `isFirst` of a row. */
  onFailure(error: InsituError, isFirst: boolean): void;
}

/** Failed predictions: one of a lasting kind ends the watch, the others are counted and told. */
function createFailures({ counts, onFailure }: Pick<LatestDeps<unknown>, "counts" | "onFailure">) {
  let isRow = false;
  return {
    /** What ends the watch, if it does. */
    add(thrown: unknown): { error: InsituError } | undefined {
      const error = asInsituError(thrown, "unknown", "The prediction failed");
      if (LASTING.has(error.code)) return { error };
      counts.failed += 1;
      onFailure(error, !isRow);
      isRow = true;
      return undefined;
    },
    endRow() {
      isRow = false;
    },
  };
}

/** The newest frame and its prediction, one at a time. */
function createLatest<T>({ predict, isGone, counts, stop, notify, onFailure }: LatestDeps<T>) {
  let isFresh = false;
  let isAtEnd = false;
  let isCalling = false;
  let failure: { error: unknown } | undefined;
  let ready: T | undefined;
  const failures = createFailures({ counts, onFailure });

  /** Starts the next prediction, unless one runs or waits to be taken: it predicts what is shown now. */
  const begin = async () => {
    while (isFresh && !isCalling && !ready && !failure && !stop.aborted) {
      isFresh = false;
      isCalling = true;
      try {
        ready = await predict();
        failures.endRow();
      } catch (error) {
        // Of a video whose source was taken away there is nothing to read, and its end is on its way.
        if (!isGone()) failure ??= failures.add(error);
      }
      isCalling = false;
      notify();
    }
  };
  return {
    onFrame() {
      counts.seen += 1;
      // The frame before was never predicted, and this one replaces it.
      if (isFresh) counts.dropped += 1;
      isFresh = true;
      void begin();
    },
    onEnd(error?: InsituError) {
      isAtEnd = true;
      if (error) failure ??= { error };
      notify();
    },
    /** The prediction that is ready, if any; the next one starts while the caller is busy with it. */
    take(): T | undefined {
      const taken = ready;
      ready = undefined;
      if (taken || !failure) void begin();
      return taken;
    },
    isReady: () => ready !== undefined,
    /** Throws the failure of the source or of a prediction. */
    isOver(): boolean {
      if (failure) throw failure.error;
      return isAtEnd && !isCalling && !isFresh;
    },
  };
}
