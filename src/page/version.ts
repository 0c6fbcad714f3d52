// One version of a model that is open in the workers: what a prediction needs of it, from its start to its end.
import type { ErrorCode } from "../shared/errors.js";
import type { ModelInfo, Prediction } from "../shared/types/model.js";
import type { PredictInput, PredictOptions } from "./api-types.js";
import type { ModelRpc } from "./workers/model-rpc.js";

/**
 * A prediction takes the version that runs when it starts, and keeps it to its end. Its `info` is the model's own object while the version
 * runs, and a copy from when another one took over.
 */
export interface OpenVersion {
  info: ModelInfo;
  rpc: ModelRpc;
  /** Of a model on a channel. */
  observer?: PredictionObserver;
}

/** Learns of each prediction of a version. Called synchronously; must be cheap and must not throw. */
export interface PredictionObserver {
  /** A prediction begins: nothing was awaited since the caller passed `input`, which may change after this returns. */
  started?(input: PredictInput, options: PredictOptions): ((prediction: Prediction) => void) | undefined;
  predicted(prediction: Prediction): void;
  failed(code: ErrorCode): void;
}
