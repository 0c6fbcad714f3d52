// One prediction of the page: admission, the call to a worker, the total time, and its records.
import { disposedError } from "../shared/disposed-error.js";
import { InsituError } from "../shared/errors.js";
import { randomHex } from "../shared/hex.js";
import { modelRef } from "../shared/model-ref.js";
import type { HostPrediction, WorkerTimings } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import { type Prediction, type PredictionTimings, type PredictionValues, TASK_OPTIONS } from "../shared/types/model.js";
import type { PredictInput, PredictOptions } from "./api-types.js";
import { toWireInput } from "./input/wire-input.js";
import { unreadable } from "./lib/check-option.js";
import type { MonitorHandle } from "./monitor.js";
import { describeFailure, type TelemetryHandle } from "./telemetry.js";
import type { LiveVersion, OnResult, OpenVersion } from "./version.js";
import type { CallInput } from "./workers/model-rpc.js";

export interface PredictDeps {
  live: LiveVersion;
  /** Maximum number of open predictions. */
  max: number;
  telemetry: TelemetryHandle;
  monitor: MonitorHandle;
}

/** Whether a prediction was asked for by itself, or as one of many. */
export type PredictMode = "online" | "batch";

export type Predict<K extends TaskKind = TaskKind> = (
  input: PredictInput,
  options?: PredictOptions<K>,
  mode?: PredictMode,
) => Promise<Prediction<K>>;

// A software GPU needs seconds for a prediction; this only ends what hangs.
const PREDICT_MS = 60_000;

export function createPredict<K extends TaskKind>(deps: PredictDeps) {
  const { live, max, telemetry } = deps;
  const { info } = live.current;
  let open = 0;
  let disposed = false;

  const admit = () => {
    if (disposed) throw disposedError(info.name);
    if (open < max) return;
    const message = `${info.name} has ${open} predictions waiting, the maximum. Wait for some of them, or raise batching.maxEnqueuedBatches.`;
    throw new InsituError("overloaded", message, { waiting: open, max });
  };

  const predict: Predict<K> = async (input, options, mode = "online") => {
    const started = performance.now();
    // To the end: another version may take over meanwhile.
    const version = live.current;
    const { observer } = version;
    let onResult: OnResult | undefined;
    try {
      admit();
      const depth = ++open;
      try {
        onResult = observer?.started(() => toWireInput(input, version.info.inputs), options ?? {});
        const result = await callWorker(deps, version, input, options ?? {});
        const { outputs, backend } = result;
        const value = result.value as PredictionValues[K];
        const timings = withTotal(result.timings, performance.now() - started);
        const prediction = { id: randomHex(), value, outputs, backend, timings, model: modelRef(version.info) };
        report(deps, result, prediction, mode, depth);
        observer?.predicted(result);
        onResult?.(result);
        return prediction;
      } finally {
        open -= 1;
      }
    } catch (thrown) {
      const error = unreadable(thrown);
      const durationMs = performance.now() - started;
      const model = modelRef(version.info);
      const { backend } = version.info;
      telemetry.record({ kind: "failed", stage: "predict", model, backend, durationMs, ...describeFailure(error) });
      observer?.failed(error.code, started);
      onResult?.();
      throw error;
    }
  };

  return {
    predict,
    isBusy: () => open > 0,
    /** Later predictions reject with `disposed`. */
    close() {
      disposed = true;
    },
  };
}

function report(
  { monitor, telemetry }: PredictDeps,
  { memory, topClass, summaries }: HostPrediction,
  { id, model, backend, timings }: Prediction,
  mode: PredictMode,
  depth: number,
): void {
  const { arm = "stable" } = model;
  monitor.predicted({ id, version: model.version, arm, time: Date.now(), ...topClass }, summaries);
  const bytes = { tensor: memory.used, wasm: memory.held };
  telemetry.record({
    kind: "predicted",
    id,
    model,
    arm,
    backend,
    mode,
    timings,
    depth,
    decided: topClass,
    memory: bytes,
  });
}

function callWorker(
  { monitor }: PredictDeps,
  { rpc, info }: OpenVersion,
  input: PredictInput,
  options: PredictOptions,
) {
  const { signal, timeout = PREDICT_MS, priority } = options;
  const task = Object.fromEntries(TASK_OPTIONS.map((name) => [name, options[name]]));
  const prepare = async (): Promise<CallInput<"predict">> => {
    const { input: wire, transfer } = await toWireInput(input, info.inputs);
    return { args: [wire, { priority, task, summarise: monitor.wantsInput() }], transfer };
  };
  return rpc.call("predict", prepare, { signal, timeout, what: `The prediction of ${info.name}` });
}

/** What the worker did not measure of the total is the way there and back. */
export function withTotal(measured: WorkerTimings, totalMs: number): PredictionTimings {
  const { queueMs, preprocessMs, executeMs, readbackMs, postprocessMs } = measured;
  const transferMs = totalMs - (queueMs + preprocessMs + executeMs + readbackMs + postprocessMs);
  // The two clocks may differ by their resolution.
  return { queueMs, transferMs: Math.max(0, transferMs), preprocessMs, executeMs, readbackMs, postprocessMs, totalMs };
}
