// A published package, its host and a store, new in every test, and loads of the package into the store.
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import type { InsituError } from "../../src/shared/errors.js";
import type { LoadProgress, ModelInfo } from "../../src/shared/types/model.js";
import type { StoreEvent } from "../../src/shared/types/store.js";
import { candidates, type LoadContext } from "../../src/worker/package/load.js";
import type { Package } from "../../src/worker/package/package.js";
import { createFallbackStore } from "../../src/worker/package/store/fallback-store.js";
import { createMemoryStore } from "../../src/worker/package/store/memory-store.js";
import type { Store } from "../../src/worker/package/store/store.js";
import { type ByteHost, serve, startHost } from "./byte-host.js";
import { eagerPorts } from "./ports.js";
import { type Published, pack } from "./published.js";

/** A package that was opened and kept, or not. */
export interface LoadedPackage extends Package {
  /** The weights as the engine got them. */
  bytes: Uint8Array;
  storeError?: InsituError;
  fellBackFrom: ModelInfo["fellBackFrom"];
}

/** `open` makes a version run; its errors reject the candidate. */
type Context = LoadContext & { open(found: Package): Promise<Uint8Array> };

export interface Loading {
  host: ByteHost;
  /** What is published; release 1 at first. */
  site: Published;
  /** What the store keeps packages in. */
  database: Store;
  events: StoreEvent[];
  progress: LoadProgress[];
  url(): string;
  context(changes?: Partial<Context>): Context;
  /** Resolves when all is kept, or cannot be. */
  load(changes?: Partial<Context>, refresh?: boolean): Promise<LoadedPackage>;
  /** Paths that were asked for since the last call. */
  asked(): string[];
}

export function useLoading(): Loading {
  const at = {
    url: () => `${at.host.url}m/`,
    context(changes = {}) {
      const emit = (event: StoreEvent) => void at.events.push(event);
      return {
        store: createFallbackStore(at.database, emit),
        storeName: "test",
        ports: eagerPorts,
        signal: new AbortController().signal,
        emit,
        onProgress: (step) => void at.progress.push(step),
        open: bytesOf,
        ...changes,
      };
    },
    async load(changes, refresh = false) {
      const context = at.context(changes);
      for await (const candidate of candidates(at.url(), refresh, context)) {
        const { package: found, fellBackFrom } = candidate;
        try {
          const bytes = await context.open(found);
          return { ...found, bytes, storeError: await candidate.accept(), fellBackFrom };
        } catch (error) {
          candidate.reject(error);
        }
      }
      throw new Error("The candidates ended without an error.");
    },
    asked: () => at.host.requests.splice(0).map(({ path }) => path.replace("/m/", "")),
  } as Loading;

  // Node 20 has no navigator; a page that is not served by HTTPS has one without locks.
  beforeAll(() => void vi.stubGlobal("navigator", {}));
  afterAll(() => void vi.unstubAllGlobals());
  beforeEach(async () => {
    at.site = await pack({ release: 1 });
    at.database = lasting();
    at.events = [];
    at.progress = [];
    at.host = await startHost((req, res) => {
      const bytes = at.site.get((req.url ?? "").replace("/m/", ""));
      if (bytes) serve(req, res, bytes);
      else res.writeHead(404).end();
    });
  });
  afterEach(() => at.host.close());
  return at;
}

/** A store that keeps what ran, as a database does. */
export function lasting(): Store {
  return { ...createMemoryStore(), proved: async () => undefined };
}

/** The package's weights, one after the other. */
export async function bytesOf({ weights }: Pick<Package, "weights">): Promise<Uint8Array> {
  const parts: Blob[] = [];
  for await (const bytes of weights()) parts.push(new Blob([bytes]));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
