// Loads a package into the first worker and makes a model of it; reports the load to telemetry.

import { modelRef } from "../shared/model-ref.js";
import type { LoadedModel } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { LoadProgress, ModelInfo } from "../shared/types/model.js";
import type { LoadOptions } from "./api-types.js";
import { checkType, unreadable } from "./lib/check-option.js";
import { withTimeout } from "./lib/with-timeout.js";
import { createModel, type Model } from "./model.js";
import { importMonitor } from "./monitor.js";
import { checkLoadOptions, packageUrl } from "./options.js";
import type { LearningConsent } from "./personal-privacy.js";
import type { StoreCall } from "./storage/model-store.js";
import { describeFailure, type TelemetryHandle } from "./telemetry.js";
import type { PooledWorker, WorkerPool } from "./workers/pool.js";
import { useWorker } from "./workers/rpc.js";

export interface LoaderDeps {
  slots: WorkerPool["slots"];
  telemetry: TelemetryHandle;
  storeCall: StoreCall;
  storeName: string;
  learning: LearningConsent;
  /** False where the page switched monitoring off. */
  monitors: boolean;
  /** Called when a package is stored. */
  onStored: () => void;
  /** Called when a model runs, and when it moves to another backend. */
  onMove: (info: ModelInfo) => void;
}

// Minutes for a first download on a slow line; a download without progress ends after 15 s.
const LOAD_MS = 600_000;

export function createLoader(deps: LoaderDeps) {
  const { slots, telemetry, storeCall, monitors } = deps;
  const [first] = slots;

  const reportStoreUsage = async () => {
    const { bytes } = await storeCall("storeUsage", [], "Measuring the store");
    telemetry.record({ kind: "storage", bytes });
  };

  const load = async <K extends TaskKind>(url: string | URL, given?: LoadOptions<K>): Promise<Model<K>> => {
    const { signal: caller, timeout = LOAD_MS, onProgress, ...rest } = given ?? {};
    checkType("onProgress", onProgress, "function");
    const folder = packageUrl(url);
    const options = checkLoadOptions(rest, url);
    const started = performance.now();
    const reporting = telemetry.begin();
    // A few kilobytes that arrive while the model does; without them the model runs all the same.
    const monitoring = importMonitor(monitors);
    const loadInto = (into: PooledWorker, signal: AbortSignal, refresh?: boolean, onProgress?: OnProgress) =>
      into.call("load", [folder, { ...options, refresh, progress: onProgress !== undefined }], { signal, onProgress });
    const reload = (into: PooledWorker): Promise<LoadedModel> =>
      // Without a request to the host: the version that ran is in the store.
      withTimeout({ timeout: LOAD_MS, what: `Loading ${folder} again` }, (signal) => loadInto(into, signal));
    try {
      return await useWorker(first, { signal: caller, timeout, what: `Loading ${folder}` }, async (worker, signal) => {
        const problem = await reporting;
        if (problem) throw problem;
        const loaded = await loadInto(worker, signal, options.refresh, onProgress);
        const { info, cost } = loaded;
        telemetry.record({
          kind: "loaded",
          model: modelRef(info),
          backend: info.backend,
          source: info.source,
          durationMs: performance.now() - started,
          ...cost,
        });
        const model = createModel<K>({
          ...deps,
          loaded,
          worker,
          reload,
          monitoring: await monitoring,
          limits: rest.monitor,
          batching: options.batching,
        });
        if (telemetry.isOn) void model.stored.then(reportStoreUsage).catch(() => undefined);
        return model;
      });
    } catch (error) {
      const durationMs = performance.now() - started;
      telemetry.record({ kind: "failed", stage: "load", durationMs, ...describeFailure(error) });
      throw error;
    }
  };
  return <K extends TaskKind>(url: string | URL, given?: LoadOptions<K>): Promise<Model<K>> =>
    load(url, given).catch((error: unknown) => {
      throw unreadable(error);
    });
}

type OnProgress = (progress: LoadProgress) => void;
