// A loaded model as the page sees it: predictions across the wall, with their limits and their timings.
import { type Remote, transfer } from "comlink";
import { asInsituError, fromWire, InsituError, type WireError } from "./errors.js";
import { toWireInput } from "./input.js";
import { limited } from "./limits.js";
import type { Host, HostPrediction } from "./protocol.js";
import type { Spawned } from "./spawn.js";
import type { Telemetry } from "./telemetry/telemetry.js";
import type {
  ModelInfo,
  ModelRef,
  PredictInput,
  Prediction,
  PredictOptions,
  TaskKind,
  Timings,
  Values,
} from "./types.js";

/** A loaded model. Handles on the same package share its memory; it is freed with the last of them. */
export interface Model<K extends TaskKind = TaskKind> {
  readonly info: ModelInfo;
  /**
   * Resolves once the package is kept in this browser, or `info.storeError` says why it is not; `load` does not wait for it.
   * Never rejects.
   */
  readonly stored: Promise<void>;
  /**
   * Runs the model on one item. Rejects with `input_invalid` when the input does not fit the manifest, `output_invalid` when
   * the model computed NaN or infinity, `timeout` or `aborted` as the options say, `worker_crashed` when the worker died.
   */
  predict(input: PredictInput, options?: PredictOptions): Promise<Prediction<K>>;
  /** Frees the model; later predictions reject with `aborted`. Twice is safe. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Asks a worker under a fresh call number; when `signal` aborts, the worker is told. */
export type Ask = <T>(
  worker: Spawned,
  signal: AbortSignal,
  run: (host: Remote<Host>, call: number) => Promise<T>,
) => Promise<T>;

interface Parts {
  info: ModelInfo;
  /** The worker's number for the model. */
  handle: number;
  worker: Spawned;
  ask: Ask;
  telemetry: Telemetry;
  /** Called when the package is kept. */
  onStored: () => void;
}

// A software GPU needs seconds for a prediction; this only ends what hangs.
const PREDICT_MS = 60_000;
// As long as a load may take; only ends what hangs.
const STORED_MS = 600_000;

export function createModel<K extends TaskKind>(parts: Parts): Model<K> {
  const { info, handle, worker, ask, telemetry } = parts;
  const model: ModelRef = { name: info.name, version: info.version, release: info.release, digest: info.digest };
  let disposed = false;

  const predict = async (input: PredictInput, options: PredictOptions = {}): Promise<Prediction<K>> => {
    const started = performance.now();
    try {
      if (disposed)
        throw new InsituError("aborted", `${info.name} was disposed; load it again before predicting.`, {
          reason: "disposed",
        });
      const limits = {
        signal: options.signal,
        timeout: options.timeout ?? PREDICT_MS,
        what: `The prediction of ${info.name}`,
      };
      const reply = await limited(limits, async (signal) => {
        const crossing = await toWireInput(input);
        return ask<HostPrediction>(worker, signal, (host, call) =>
          host.predict(call, handle, transfer(crossing.input, crossing.transfer)),
        );
      });
      const timings = toTimings(reply.timings, performance.now() - started);
      telemetry.predicted(info, reply.backend, timings);
      return { id: randomId(), ...reply, value: reply.value as Values[K], timings, model };
    } catch (error) {
      telemetry.failed("predict", error, info, performance.now() - started);
      throw error;
    }
  };

  const dispose = async () => {
    if (disposed) return;
    disposed = true;
    // A dead worker holds nothing any more.
    if (worker.alive()) await worker.call((host) => host.unload(handle));
  };

  return { info, stored: watchStoring(parts), predict, dispose, [Symbol.asyncDispose]: dispose };
}

async function watchStoring({ info, handle, worker, onStored }: Parts): Promise<void> {
  try {
    const limits = { timeout: STORED_MS, what: `Storing ${info.name}` };
    const problem = await limited(limits, () => worker.call<WireError | undefined>((host) => host.stored(handle)));
    if (problem) info.storeError = fromWire(problem) as InsituError;
    else onStored();
  } catch (error) {
    // The worker ended before it was done.
    info.storeError = asInsituError(error, "storage_unavailable", "Storing the package stopped");
  }
}

/** What the worker did not measure of the whole is the way there and back. */
function toTimings(worker: HostPrediction["timings"], total: number): Timings {
  const { queue, preprocess, execute, readback, postprocess } = worker;
  const transferred = total - (queue + preprocess + execute + readback + postprocess);
  // The two clocks may differ by their resolution.
  return { queue, transfer: Math.max(0, transferred), preprocess, execute, readback, postprocess, total };
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
