// What the worker's handlers share: the parts that exist once the page has connected, and a running call.
import type { HostConfig, HostMethod, HostProgress, OnHostEvent } from "../shared/protocol.js";
import type { SerialQueue } from "../shared/serial-queue.js";
import type { OpenModels } from "./open-models.js";
import type { Platform } from "./package/platform.js";
import type { FallbackStore } from "./package/store/fallback-store.js";
import type { PersonalRegistry } from "./personal/registry.js";
import type { Scheduler } from "./runtime/scheduling/scheduler.js";
import type { Engine } from "./runtime/session/engine.js";

/** What exists once the page has connected. */
export interface HostContext {
  config: HostConfig;
  platform: Platform;
  store: FallbackStore;
  engine: Engine;
  /** tfjs has one global backend and no notion of a request: runs follow one another. */
  scheduler: Scheduler;
  models: OpenModels;
  /** One queue for the loads of each address. */
  loads: Map<string, SerialQueue>;
  /** Fetched at its first use. */
  personal: () => Promise<PersonalRegistry>;
  emit: OnHostEvent;
}

/** One running call. */
export interface HostCall<M extends HostMethod = HostMethod> {
  signal: AbortSignal;
  /** Resolves when the page has handled it. */
  report(progress: HostProgress<M>): void | Promise<void>;
}
