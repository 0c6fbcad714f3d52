// The worker's RPC handlers: one typed table of methods, each run as an abortable call.
import { InsituError, toWire } from "../shared/errors.js";
import type { Host, HostArgs, HostConfig, HostMethod, HostResult, OnHostEvent } from "../shared/protocol.js";
import type { StoredPackage } from "../shared/types/store.js";
import type { HostCall, HostContext } from "./host-context.js";
import { once } from "./lib/once.js";
import { sha256 } from "./lib/sha256.js";
import { loadModel } from "./load-model.js";
import { OpenModels } from "./open-models.js";
import { channelCode } from "./package/channel-code.js";
import { withRequest } from "./package/download/with-request.js";
import type { Platform } from "./package/platform.js";
import type { FallbackStore } from "./package/store/fallback-store.js";
import type { OnStoreEvent, PackageRow } from "./package/store/store.js";
import type { PersonalRegistry } from "./personal/registry.js";
import { prewarmBackend } from "./prewarm-backend.js";
import { Scheduler } from "./runtime/scheduling/scheduler.js";
import { announceLife } from "./runtime/session/crash-sentinel.js";
import type { Engine } from "./runtime/session/engine.js";

/** What the host is made of; `worker.ts` passes the real parts. */
export interface HostDeps {
  createEngine(config: HostConfig, store: FallbackStore): Engine;
  /** Fetches the code of personal models. Rejects where that fails; the next call tries again. */
  openPersonal(config: HostConfig, engine: Engine, scheduler: Scheduler): Promise<PersonalRegistry>;
  openStore(config: HostConfig, emit: OnStoreEvent): FallbackStore;
  ports: Platform;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result returns nothing.
type Returned<R> = [R] extends [undefined] ? void : R;
type Handlers = {
  [M in HostMethod]: (
    context: HostContext,
    call: HostCall<M>,
    ...args: HostArgs<M>
  ) => Promise<Returned<HostResult<M>>>;
};

const handlers: Handlers = {
  async capabilities({ config, engine }) {
    return {
      backends: await Promise.all(config.backends.map((backend) => engine.probe(backend))),
      crossOriginIsolated: globalThis.crossOriginIsolated === true,
      secureContext: globalThis.isSecureContext === true,
      indexedDB: hasIndexedDB(),
    };
  },
  load: loadModel,
  async readChannel({ store, platform, config }, { signal }, url, { refresh, request }) {
    const ports = request ? withRequest(platform, request) : platform;
    const { readChannel } = await channelCode();
    return readChannel(url, refresh, { store, ports, trust: config.trust, signal });
  },
  noteRollout: async ({ store }, _, url, note) => (await channelCode()).noteRollout(url, note, store),
  sha256: (_, __, bytes) => sha256(bytes),
  async ping() {},

  predict: ({ models }, { signal }, model, input, options) =>
    models.get(model).live.predict(input, { ...options, signal }),
  async personal({ models, personal }, { signal, report }, model, name, request) {
    const { live, manifest, ref } = models.get(model);
    return (await personal()).call({ runner: live, manifest, ref }, name, request, {
      signal,
      onProgress: (progress) => void report(progress),
    });
  },
  tuned: async ({ models }, _, model) => models.find(model)?.live.tuned,
  async stored({ models }, _, model) {
    const problem = await models.find(model)?.kept;
    return problem && toWire(problem);
  },
  unload: ({ models, scheduler }, _, model) => scheduler.runExclusive(async () => models.release(model)),

  listPersonal: async ({ personal }) => (await personal()).list(),
  forgetPersonal: async ({ personal }) => (await personal()).forgetAll(),

  listPackages: async ({ store }) => (await store.list()).map(storedPackage),
  async storeUsage({ store, config }) {
    const [bytes, rows] = await Promise.all([store.bytes(), store.list()]);
    return { bytes, maxBytes: config.storage.maxBytes, packages: rows.length, available: !store.problem() };
  },
  deletePackage: ({ store }, _, url) => store.delete(url),
  clearStore: ({ store }) => store.clear(),
  pinPackage: ({ store }, _, url, pinned) => store.pin(url, pinned),
};

export function createHost(deps: HostDeps): Host {
  let context: HostContext | undefined;
  const running = new Map<number, AbortController>();

  const run = async (method: HostMethod, id: number, args: unknown[]): Promise<unknown> => {
    if (!context) throw new InsituError("unknown", "The worker was called before the page connected to it.");
    const { emit } = context;
    const controller = new AbortController();
    const report = (progress: unknown) => emit({ kind: "progress", call: id, progress });
    running.set(id, controller);
    try {
      const handler = handlers[method] as (context: HostContext, call: HostCall, ...args: unknown[]) => unknown;
      return await handler(context, { signal: controller.signal, report }, ...args);
    } finally {
      running.delete(id);
    }
  };
  const methods = (Object.keys(handlers) as HostMethod[]).map((method) => [
    method,
    (id: number, ...args: unknown[]) => run(method, id, args),
  ]);

  return {
    ...(Object.fromEntries(methods) as Omit<Host, "connect" | "abort">),
    connect(config: HostConfig, emit: OnHostEvent) {
      context = connect(deps, config, emit);
    },
    abort(id: number) {
      running.get(id)?.abort();
    },
  } as Host;
}

function connect(deps: HostDeps, config: HostConfig, emit: OnHostEvent): HostContext {
  announceLife(config.workerId);
  const scheduler = new Scheduler();
  const store = deps.openStore(config, (event) => void emit({ kind: "store", event }));
  const engine = deps.createEngine(config, store);
  const personal = once(() => deps.openPersonal(config, engine, scheduler));
  // While the package is looked up. What cannot be started is found out again, and reported, by the load.
  if (config.hint) void scheduler.runExclusive(() => prewarmBackend(engine, config)).catch(() => undefined);
  const models = new OpenModels((model) => void emit({ kind: "residence", ...model }));
  return { config, platform: deps.ports, store, engine, scheduler, models, loads: new Map(), personal, emit };
}

/** Some browsers throw on its mention where a page may store nothing. */
function hasIndexedDB(): boolean {
  try {
    return typeof indexedDB !== "undefined";
  } catch {
    return false;
  }
}

/** The public part of a stored row. */
function storedPackage({ url, name, version, release, digest, bytes, usedAt, pinned }: PackageRow): StoredPackage {
  return { url, name, version, release, digest, bytes, usedAt, pinned };
}
