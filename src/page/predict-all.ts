// Predicts a sequence of inputs: results in their order, a bounded number of them held at a time.

import { asInsituError, InsituError } from "../shared/errors.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { Prediction } from "../shared/types/model.js";
import type { PredictAllOptions, PredictInput, PredictOptions } from "./api-types.js";
import { createNotifier } from "./lib/notifier.js";

type Inputs = Iterable<PredictInput> | AsyncIterable<PredictInput>;
type Results<K extends TaskKind> = AsyncGenerator<Prediction<K>, void, undefined>;

export interface PredictAllDeps<K extends TaskKind> {
  predict(input: PredictInput, options: PredictOptions): Promise<Prediction<K>>;
  /** How many workers can predict at a time. */
  workers: number;
  /** Most calls that the model accepts. */
  most: number;
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
  options: PredictAllOptions = {},
): Results<K> {
  const stop = new AbortController();
  const results = run(parts, inputs, options, stop);
  const end = results.return.bind(results);
  // A generator that waits would hear of it only when what it waits for has come.
  results.return = (value) => {
    stop.abort();
    return end(value);
  };
  return results;
}

async function* run<K extends TaskKind>(
  { predict, workers, most }: PredictAllDeps<K>,
  inputs: Inputs,
  { batchSize = BATCH_SIZE, signal, onProgress, ...options }: PredictAllOptions,
  stop: AbortController,
): Results<K> {
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new InsituError("input_invalid", `batchSize is ${batchSize}; pass a whole number over 0.`, { batchSize });
  // Most calls that run and results that wait, together.
  const window = Math.min(batchSize * workers, most);
  const total = Array.isArray(inputs) ? { total: inputs.length } : {};
  const places: Place<K>[] = [];
  const bell = createNotifier();
  const source = openSource(inputs);
  let taken = 0;
  let done = 0;

  // Never rejects: a call that nobody looks at any more disturbs nobody.
  const call = async (place: Place<K>, input: PredictInput, index: number) => {
    try {
      place.outcome = { prediction: await predict(input, { ...options, signal: stop.signal, priority: "low" }) };
    } catch (error) {
      place.outcome = { error: atIndex(error, index) };
    }
    bell.notify();
  };
  const onInput = (input: PredictInput) => {
    if (stop.signal.aborted) return;
    const place: Place<K> = {};
    places.push(place);
    void call(place, input, taken++);
  };
  const onError = (error: unknown) => void places.push({ outcome: { error } });

  // Also while the caller is busy with a result, and nobody waits here.
  const onAbort = () => stop.abort();
  signal?.addEventListener("abort", onAbort);
  stop.signal.addEventListener("abort", bell.notify);
  try {
    while (!stop.signal.aborted && !signal?.aborted) {
      if (source.isFree() && places.length < window) void source.fetch(onInput, onError).then(bell.notify);
      const outcome = places[0]?.outcome;
      if (!outcome) {
        if (places.length === 0 && source.isOver()) return;
        await bell.wait();
        continue;
      }
      if ("error" in outcome) throw outcome.error;
      places.shift();
      done += 1;
      onProgress?.({ done, ...total });
      yield outcome.prediction;
    }
    const message = `The predictions were aborted after ${done} results.`;
    // What the caller ended with `return()` ends quietly.
    if (signal?.aborted) throw new InsituError("aborted", message, { done }, { cause: signal.reason });
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stop.abort();
    await source.close();
  }
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
  const source = Object(inputs) as Partial<AsyncIterable<PredictInput> & Iterable<PredictInput>>;
  const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.();
  if (iterator) return iterator;
  const message = "predictAll takes many inputs: pass an array of them, or anything else that for await can walk.";
  throw new InsituError("input_invalid", message);
}
