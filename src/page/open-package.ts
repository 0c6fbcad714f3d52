// Opens one version of a package in a worker, and reports that to telemetry.
import { modelRef } from "../shared/model-ref.js";
import type { LoadedModel } from "../shared/protocol.js";
import type { LoadProgress, ModelInfo } from "../shared/types/model.js";
import { withTimeout } from "./lib/with-timeout.js";
import type { Monitoring } from "./monitor.js";
import type { LoadConfig } from "./options.js";
import { describeFailure, type TelemetryHandle } from "./telemetry.js";
import { type OpenPackage, openVersion } from "./version.js";
import type { PooledWorker, WorkerPool, WorkerSlot } from "./workers/pool.js";
import { useWorker } from "./workers/rpc.js";

export interface OpenPackageDeps {
  slots: WorkerPool["slots"];
  spare: WorkerPool["spare"];
  telemetry: TelemetryHandle;
  /** Called when a package is stored. */
  onStored: () => void;
  /** Called when a model runs, and when it moves to another backend. */
  onMove: (info: ModelInfo) => void;
}

// Minutes for a first download on a slow line; a download without progress ends after 15 s.
export const LOAD_MS = 600_000;

/** @param monitoring - Is waited for, so that a model has its monitor. */
export function createOpenPackage(
  deps: OpenPackageDeps,
  options: LoadConfig,
  monitoring: Promise<Monitoring>,
): OpenPackage {
  const { slots, telemetry } = deps;
  const reporting = telemetry.begin();
  return async (folder, { arm, isApart, signal, timeout = LOAD_MS, onProgress, ...asked }) => {
    const started = performance.now();
    const places = isApart ? [deps.spare()] : slots;
    const loadInto = (into: PooledWorker, signal: AbortSignal, asked?: object, onProgress?: OnProgress) => {
      const args = { ...options, refresh: undefined, ...asked, progress: onProgress !== undefined };
      return into.call("load", [folder, args], { signal, onProgress });
    };
    const reload = (into: PooledWorker): Promise<LoadedModel> =>
      // Without a request to the host: the version that ran is in the store.
      withTimeout({ timeout: LOAD_MS, what: `Loading ${folder} again` }, (signal) => loadInto(into, signal));
    try {
      const limits = { signal, timeout, what: `Loading ${folder}` };
      return await useWorker(places[0] as WorkerSlot, limits, async (worker, signal) => {
        const problem = await reporting;
        if (problem) throw problem;
        const loaded = await loadInto(worker, signal, asked, onProgress);
        const { info, cost } = loaded;
        if (arm) info.arm = arm;
        telemetry.record({
          kind: "loaded",
          model: modelRef(info),
          backend: info.backend,
          source: info.source,
          durationMs: performance.now() - started,
          ...cost,
        });
        // Fetched by now, as a rule; a caller does not wait for it longer than for the model.
        await monitoring;
        return openVersion({ ...deps, slots: places, loaded, worker, reload });
      });
    } catch (error) {
      reportFailure(telemetry, error, started);
      throw error;
    }
  };
}

/** @param started - In milliseconds of `performance.now()`. */
export function reportFailure(telemetry: TelemetryHandle, error: unknown, started: number): void {
  const durationMs = performance.now() - started;
  telemetry.record({ kind: "failed", stage: "load", durationMs, ...describeFailure(error) });
}

type OnProgress = (progress: LoadProgress) => void;
