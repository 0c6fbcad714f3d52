// Loads a model: from a package, or from a channel, which says which package.

import type { TaskKind } from "../shared/types/manifest.js";
import type { LoadOptions } from "./api-types.js";
import { checkType, unreadable } from "./lib/check-option.js";
import { loadChunk } from "./lib/load-chunk.js";
import { withTimeout } from "./lib/with-timeout.js";
import { createModel, type Model, type ModelDeps } from "./model.js";
import { importMonitor } from "./monitor.js";
import { createOpenPackage, LOAD_MS, type OpenPackageDeps, reportFailure } from "./open-package.js";
import { BATCHING, channelOf, checkChannelOptions, checkLoadOptions, packageUrl } from "./options.js";
import type { LearningConsent } from "./personal-privacy.js";
import type { StoreCall } from "./storage/model-store.js";
import type { Rpc } from "./workers/rpc.js";

export interface LoaderDeps extends OpenPackageDeps {
  rpc: Rpc;
  storeCall: StoreCall;
  storeName: string;
  learning: LearningConsent;
  /** False where the page switched monitoring off. */
  monitors: boolean;
  /** Bytes that the models of a worker should not exceed together. */
  maxHeldBytes: number;
  /** Aborted when the client is disposed. */
  clientEnd: AbortSignal;
}

export function createLoader(deps: LoaderDeps) {
  const { telemetry, storeCall, monitors } = deps;

  const reportStoreUsage = async () => {
    const { bytes } = await storeCall("storeUsage", [], "Measuring the store");
    telemetry.record({ kind: "storage", bytes });
  };

  const load = async <K extends TaskKind>(url: string | URL, given?: LoadOptions<K>): Promise<Model<K>> => {
    const { signal: caller, timeout = LOAD_MS, onProgress, channel: followed, ...rest } = given ?? {};
    checkType("onProgress", onProgress, "function");
    const channel = checkChannelOptions(followed);
    const address = channelOf(url, followed?.file);
    const options = checkLoadOptions(rest, url);
    // A few kilobytes that arrive while the model does; without them the model runs all the same.
    const monitoring = importMonitor(monitors);
    const open = createOpenPackage(deps, options, monitoring);
    const toModel = async (parts: Pick<ModelDeps, "live" | "control">): Promise<Model<K>> => {
      const batching = { ...BATCHING, ...options.batching };
      return createModel<K>({ ...deps, ...parts, monitoring: await monitoring, limits: rest.monitor, batching });
    };
    const { request, refresh } = options;
    const asked = { signal: caller, timeout, refresh, onProgress };
    const model = address
      ? await withTimeout({ signal: caller, timeout, what: `Loading ${address.url}` }, async (signal) => {
          const { openChannel } = await loadChunk(import("./lazy/rollout/rollout.js"));
          const loadShadow = () => loadChunk(import("./lazy/shadow/shadow.js"));
          const recordFailure = (error: unknown, started: number) => reportFailure(telemetry, error, started);
          const maxBytes = Math.min(deps.maxHeldBytes, deviceBytes());
          const parts = { open, toModel, recordFailure, loadShadow, maxBytes };
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

/** What versions of one model may take together on this device: an eighth of its memory, where the browser tells it. */
function deviceBytes(): number {
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return deviceMemory ? (deviceMemory * 1e9) / 8 : Number.POSITIVE_INFINITY;
}
