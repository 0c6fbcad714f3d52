// Predicts a sequence of inputs: results in their order, a bounded number of them at a time.

import { onAbort } from "../../../shared/abort.js";
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import type { TaskKind } from "../../../shared/types/manifest.js";
import type { Prediction } from "../../../shared/types/model.js";
import type { PredictAllOptions, PredictInput, PredictOptions } from "../../api-types.js";
import { callListener } from "../../lib/call-listener.js";
import { checkType, readOptions } from "../../lib/check-option.js";
import { createNotifier } from "../../lib/notifier.js";

type Inputs = Iterable<PredictInput> | AsyncIterable<PredictInput>;
type Results<K extends TaskKind> = AsyncGenerator<Prediction<K>, void, undefined>;

export interface PredictAllDeps<K extends TaskKind> {
  predict(input: PredictInput, options: PredictOptions): Promise<Prediction<K>>;
  /** How many workers can predict at a time. */
  workers: number;
  /** Maximum number of open calls that the model accepts. */
  max: number;
}

const BATCH_SIZE = 8;

/** Where a result is waited for, in the order of the inputs. */
interface Place<K extends TaskKind> {
  outcome?: { prediction: Prediction<K> } | { error: unknown };
}

/** Begins with the first `next()`; `Model.predictAll` says what it rejects with. */
export function predictAll<K extends TaskKind>(
  parts: PredictAllDeps<K>,
  inputs: Inputs,
  options?: PredictAllOptions,
): Results<K> {
  const stop = new AbortController();
  const results = run(parts, inputs, options ?? {}, stop);
  const end = results.return.bind(results);
  // A generator that waits would react only when what it waits for has come.
  results.return = (value) => {
    stop.abort();
    return end(value);
  };
  return results;
}

async function* run<K extends TaskKind>(
  { predict, workers, max }: PredictAllDeps<K>,
  inputs: Inputs,
  given: PredictAllOptions,
  stop: AbortController,
): Results<K> {
  const { batchSize = BATCH_SIZE, signal, onProgress, ...options } = readOptions(given);
  checkType("onProgress", onProgress, "function");
  if (!Number.isInteger(batchSize) || batchSize < 1) throw invalidOption("batchSize", batchSize, "an integer over 0");
  // Maximum of calls that run and results that wait, together.
  const window = Math.min(batchSize * workers, max);
  const total = Array.isArray(inputs) ? { total: inputs.length } : {};
  const notifier = createNotifier();
  const source = openSource(inputs);
  const call = (input: PredictInput) => predict(input, { ...options, signal: stop.signal, priority: "low" });
  const pending = createPending(call, stop.signal, notifier.notify);
  let done = 0;
  // Also while the caller is busy with a result, and nothing waits here.
  const unlink = onAbort(signal, () => stop.abort());
  stop.signal.addEventListener("abort", notifier.notify);
  try {
    while (!stop.signal.aborted) {
      if (source.isFree() && pending.count() < window)
        void source.fetch(pending.onInput, pending.onError).then(notifier.notify);
      const prediction = pending.take();
      if (!prediction) {
        if (pending.count() === 0 && source.isOver()) return;
        await notifier.wait();
        continue;
      }
      done += 1;
      callListener(onProgress, { done, ...total });
      yield prediction;
    }
    const message = `The predictions were aborted after ${done} results.`;
    // What the caller ended with `return()` ends without an error.
    if (signal?.aborted) throw new InsituError("aborted", message, { done }, { cause: signal.reason });
  } finally {
    unlink();
    stop.abort();
    await source.close();
  }
}

/** The open calls and the results that wait, in the order of the inputs. */
function createPending<K extends TaskKind>(
  predict: (input: PredictInput) => Promise<Prediction<K>>,
  stop: AbortSignal,
  notify: () => void,
) {
  const places: Place<K>[] = [];
  let taken = 0;
  // Never rejects: nothing may wait for the call any more.
  const call = async (place: Place<K>, input: PredictInput, index: number) => {
    try {
      place.outcome = { prediction: await predict(input) };
    } catch (error) {
      place.outcome = { error: atIndex(error, index) };
    }
    notify();
  };
  return {
    count: () => places.length,
    onInput(input: PredictInput) {
      if (stop.aborted) return;
      const place: Place<K> = {};
      places.push(place);
      void call(place, input, taken++);
    },
    onError: (error: unknown) => void places.push({ outcome: { error } }),
    /** The first result, if it is there. Throws the first error. */
    take(): Prediction<K> | undefined {
      const outcome = places[0]?.outcome;
      if (!outcome) return undefined;
      if ("error" in outcome) throw outcome.error;
      places.shift();
      return outcome.prediction;
    },
  };
}

/** The same error, which also says of which input it is. */
function atIndex(error: unknown, index: number): InsituError {
  const { code, message, data } = asInsituError(error, "unknown", "The prediction failed");
  return new InsituError(code, `Input ${index}: ${message}`, { ...data, index }, { cause: error });
}

interface Source {
  /** True while more may come and nothing is being fetched. */
  isFree(): boolean;
  /** True once it was at its end, or failed, and that has been passed on. */
  isOver(): boolean;
  /** Fetches the next input and passes it on, or why there is none. Never rejects. */
  fetch(onInput: (input: PredictInput) => void, onError: (error: unknown) => void): Promise<void>;
  /** Lets it free what it holds, unless it is at its end. Never rejects. */
  close(): Promise<void>;
}

/** Throws `input_invalid` for what cannot be iterated. */
function openSource(inputs: Inputs): Source {
  const iterator = iteratorOf(inputs);
  let busy = false;
  let over = false;
  return {
    isFree: () => !busy && !over,
    isOver: () => over && !busy,
    async fetch(onInput, onError) {
      busy = true;
      try {
        const next = await iterator.next();
        if (next.done) over = true;
        else onInput(next.value);
      } catch (error) {
        over = true;
        onError(error);
      } finally {
        busy = false;
      }
    },
    async close() {
      if (over) return;
      over = true;
      const closing = (async () => iterator.return?.())().catch(() => undefined);
      // A source that is being waited for answers this only after that: perhaps never.
      if (!busy) await closing;
    },
  };
}

function iteratorOf(inputs: Inputs): Iterator<PredictInput> | AsyncIterator<PredictInput> {
  // A string is the address of one image, not a list of characters.
  const source = (typeof inputs === "string" ? {} : Object(inputs)) as Partial<
    AsyncIterable<PredictInput> & Iterable<PredictInput>
  >;
  const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.();
  if (iterator) return iterator;
  const message = "predictAll takes many inputs: pass an array of them, or anything else that works with for await.";
  throw new InsituError("input_invalid", message);
}
