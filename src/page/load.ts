// Loads a package into the first worker and makes a model of it; reports the load to telemetry.

import { modelRef } from "../shared/model-ref.js";
import type { LoadedModel } from "../shared/protocol.js";
import type { TaskKind } from "../shared/types/manifest.js";
import type { LoadProgress, ModelInfo } from "../shared/types/model.js";
import type { LoadOptions } from "./api-types.js";
import { checkType, unreadable } from "./lib/check-option.js";
import { loadChunk } from "./lib/load-chunk.js";
import { withTimeout } from "./lib/with-timeout.js";
import { createModel, type Model, type ModelDeps } from "./model.js";
import { importMonitor } from "./monitor.js";
import { channelOf, checkLoadOptions, packageUrl } from "./options.js";
import type { LearningConsent } from "./personal-privacy.js";
import type { StoreCall } from "./storage/model-store.js";
import { describeFailure, type TelemetryHandle } from "./telemetry.js";
import { type OpenPackage, openVersion } from "./version.js";
import type { PooledWorker, WorkerPool, WorkerSlot } from "./workers/pool.js";
import { type Rpc, useWorker } from "./workers/rpc.js";

export interface LoaderDeps {
  slots: WorkerPool["slots"];
  spare: WorkerPool["spare"];
  rpc: Rpc;
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
  /** Bytes that the models of a worker should not exceed together. */
  maxHeldBytes: number;
}

// Minutes for a first download on a slow line; a download without progress ends after 15 s.
const LOAD_MS = 600_000;

export function createLoader(deps: LoaderDeps) {
  const { slots, telemetry, storeCall, monitors } = deps;

  const reportStoreUsage = async () => {
    const { bytes } = await storeCall("storeUsage", [], "Measuring the store");
    telemetry.record({ kind: "storage", bytes });
  };

  const load = async <K extends TaskKind>(url: string | URL, given?: LoadOptions<K>): Promise<Model<K>> => {
    const { signal: caller, timeout = LOAD_MS, onProgress, channel, ...rest } = given ?? {};
    checkType("onProgress", onProgress, "function");
    const address = channelOf(url, channel?.file);
    const options = checkLoadOptions(rest, url);
    const reporting = telemetry.begin();
    // A few kilobytes that arrive while the model does; without them the model runs all the same.
    const monitoring = importMonitor(monitors);

    const open: OpenPackage = async (folder, { arm, isApart, signal, timeout = LOAD_MS, onProgress, ...asked }) => {
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
        recordFailure(error, started);
        throw error;
      }
    };
    const recordFailure = (error: unknown, started: number) => {
      const durationMs = performance.now() - started;
      telemetry.record({ kind: "failed", stage: "load", durationMs, ...describeFailure(error) });
    };
    const toModel = async (parts: Pick<ModelDeps, "live" | "control">): Promise<Model<K>> =>
      createModel<K>({
        ...deps,
        ...parts,
        monitoring: await monitoring,
        limits: rest.monitor,
        batching: options.batching,
      });

    const until = { signal: caller, timeout };
    const asked = { ...until, refresh: options.refresh, onProgress };
    const { request } = options;
    const model = address
      ? await withTimeout({ ...until, what: `Loading ${address.url}` }, async (signal) => {
          const { openChannel } = await loadChunk(import("./lazy/rollout/rollout.js"));
          const loadShadow = () => loadChunk(import("./lazy/shadow/shadow.js"));
          const parts = { open, toModel, recordFailure, loadShadow };
          return openChannel({ ...deps, ...address, ...parts, request, channel, asked: { ...asked, signal } });
        })
      : await toModel({ live: { current: await open(packageUrl(url), asked) } });
    if (telemetry.isOn) void model.stored.then(reportStoreUsage).catch(() => undefined);
    return model as Model<K>;
  };
  return <K extends TaskKind>(url: string | URL, given?: LoadOptions<K>): Promise<Model<K>> =>
    load(url, given).catch((error: unknown) => {
      throw unreadable(error);
    });
}

type OnProgress = (progress: LoadProgress) => void;
