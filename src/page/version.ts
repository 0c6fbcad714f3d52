// One version of a model that is open in the workers: what a prediction needs of it, from its start to its end.
import { asInsituError, type ErrorCode, fromWire, type InsituError } from "../shared/errors.js";
import type { HostPrediction, LoadedModel } from "../shared/protocol.js";
import type { LoadProgress, ModelInfo, ModelRef } from "../shared/types/model.js";
import type { PredictOptions } from "./api-types.js";
import type { TransferableInput } from "./input/wire-input.js";
import { withTimeout } from "./lib/with-timeout.js";
import { createModelRpc, type ModelRpc } from "./workers/model-rpc.js";
import type { PooledWorker, WorkerSlot } from "./workers/pool.js";

/**
 * A prediction takes the version that runs when it starts, and keeps it to its end. Its `info` is the model's own object while the version
 * runs, and a copy from when another one took over.
 */
export interface OpenVersion {
  info: ModelInfo;
  rpc: ModelRpc;
  /** Resolves once the package is stored, or `info.storeError` says why it is not. */
  readonly stored: Promise<void>;
  /** Resolves once the fastest backend was found. */
  readonly tuned: Promise<void>;
  /** Of a model on a channel. */
  observer?: PredictionObserver;
}

/** The version that runs. A swap replaces `current`, and keeps its `info`. */
export interface LiveVersion {
  current: OpenVersion;
}

/** Learns of each prediction of a version. Called synchronously; must be cheap and must not throw. */
export interface PredictionObserver {
  /** A prediction begins. `copy` copies its input, which may change after this returns. The function that is returned is called at its end. */
  started(copy: () => Promise<TransferableInput>, options: PredictOptions): OnResult | undefined;
  predicted(result: HostPrediction): void;
  /** `startedAt` in milliseconds of `performance.now()`. */
  failed(code: ErrorCode, startedAt: number): void;
}

/** Without a result the prediction failed. */
export type OnResult = (result?: HostPrediction) => void;

/** What one load of a package is asked for, beside the options of the call. */
export interface PackageLoad {
  signal?: AbortSignal;
  /** Milliseconds. */
  timeout?: number;
  refresh?: boolean;
  arm?: ModelRef["arm"];
  onProgress?: (progress: LoadProgress) => void;
  /** In a worker of its own, which ends when it has been idle. */
  isApart?: boolean;
  maxCrashes?: number;
  not?: string;
}

/** Opens the package in a folder; reports it to telemetry. */
export type OpenPackage = (folder: string, load: PackageLoad) => Promise<OpenVersion>;

export interface VersionDeps {
  loaded: LoadedModel;
  /** The worker that loaded it. */
  worker: PooledWorker;
  slots: WorkerSlot[];
  reload(into: PooledWorker): Promise<LoadedModel>;
  /** Called when the package is stored. */
  onStored: () => void;
  /** Called when the model runs, and when it moves to another backend. */
  onMove: (info: ModelInfo) => void;
}

// As long as a load may take; it only ends what hangs.
const STORED_MS = 600_000;

export function openVersion(deps: VersionDeps): OpenVersion {
  const { loaded, worker, slots, reload, onMove } = deps;
  const { info } = loaded;
  onMove(info);
  const rpc = createModelRpc({
    slots,
    first: { worker, handle: loaded.model },
    load: reload,
    onResidence(residence) {
      Object.assign(version.info, { threads: undefined }, residence);
      onMove(version.info);
    },
    onReload: (now) => void Object.assign(version.info, now),
  });
  const version: OpenVersion = {
    info,
    rpc,
    stored: watchStoring(deps, () => version.info),
    tuned: worker.call("tuned", [loaded.model]).catch(() => undefined),
  };
  return version;
}

async function watchStoring({ loaded, worker, onStored }: VersionDeps, info: () => ModelInfo): Promise<void> {
  try {
    const limits = { timeout: STORED_MS, what: `Storing ${loaded.info.name}` };
    const problem = await withTimeout(limits, () => worker.call("stored", [loaded.model]));
    if (problem) info().storeError = fromWire(problem) as InsituError;
    else onStored();
  } catch (error) {
    // The worker ended before it was done.
    info().storeError = asInsituError(error, "storage_unavailable", "Storing the package stopped");
  }
}
