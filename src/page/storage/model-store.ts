// The page's API of the store of packages.
import type { ClientMethod, HostArgs, HostResult } from "../../shared/protocol.js";
import type { StoredPackage, StoreEvent, StoreUsage } from "../../shared/types/store.js";
import { packageUrl } from "../options.js";

type EventOf<T extends StoreEvent["type"]> = CustomEvent<Extract<StoreEvent, { type: T }>>;

/** Packages in this browser. Every call starts the worker when none runs; none of them uses the network. */
export interface ModelStore {
  /**
   * Every version of every package in the store.
   * @example
   * ```ts
   * for (const { name, version, bytes } of await client.store.list()) console.log(name, version, bytes);
   * ```
   */
  list(): Promise<StoredPackage[]>;
  /** How much is stored, of which budget. */
  usage(): Promise<StoreUsage>;
  /**
   * Removes all versions of a package; false when there was none. A model that is loaded continues to run.
   * @param url - As it is passed to `load`; a query string makes no difference.
   * @throws `input_invalid` for an address that cannot be a package's.
   * @example
   * ```ts
   * await client.store.delete("/models/objects/");
   * ```
   */
  delete(url: string | URL): Promise<boolean>;
  /** Removes all packages. The releases that were accepted are remembered: an older one is refused after this too. */
  clear(): Promise<void>;
  /**
   * A pinned package is never evicted; false when it is not in the store.
   * @example
   * ```ts
   * await client.store.pin("/models/objects/");
   * ```
   */
  pin(url: string | URL): Promise<boolean>;
  /** The opposite of `pin`. */
  unpin(url: string | URL): Promise<boolean>;
  /**
   * Asks the browser not to clear this site's storage when space is short; false when it declines. Some browsers ask the
   * user: call it after a click. Never called by the library itself.
   */
  requestPersistence(): Promise<boolean>;
  /**
   * `event.detail` is the {@link StoreEvent}.
   * @example
   * ```ts
   * client.store.addEventListener("evicted", ({ detail }) => console.log(detail.url, detail.bytes));
   * ```
   */
  addEventListener<T extends StoreEvent["type"]>(
    type: T,
    listener: (event: EventOf<T>) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  removeEventListener<T extends StoreEvent["type"]>(
    type: T,
    listener: (event: EventOf<T>) => void,
    options?: EventListenerOptions | boolean,
  ): void;
}

/** Calls the worker, which is started when none runs, with the deadline of a database. `what` names the call in error messages. */
export type StoreCall = <M extends ClientMethod>(method: M, args: HostArgs<M>, what: string) => Promise<HostResult<M>>;

export interface StoreHandle {
  store: ModelStore;
  /** Dispatches an event of the worker to the store's listeners. */
  dispatch(event: StoreEvent): void;
}

export function createStoreHandle(call: StoreCall, onCleared: () => void): StoreHandle {
  const target = new EventTarget();
  const pin = (url: string | URL, pinned: boolean) =>
    call("pinPackage", [packageUrl(url), pinned], "Pinning a package");
  const store: ModelStore = {
    list: () => call("listPackages", [], "Listing packages"),
    async usage() {
      const [kept, origin] = await Promise.all([call("storeUsage", [], "Measuring the store"), originUsage()]);
      return { ...kept, ...(origin && { origin }) };
    },
    delete: (url) => call("deletePackage", [packageUrl(url)], "Deleting a package"),
    async clear() {
      await call("clearStore", [], "Clearing the store");
      onCleared();
    },
    pin: (url) => pin(url, true),
    unpin: (url) => pin(url, false),
    // Absent in pages that are not served by HTTPS.
    requestPersistence: async () => (await navigator.storage?.persist?.()) ?? false,
    addEventListener: (type, listener, options) =>
      target.addEventListener(type, listener as (event: Event) => void, options),
    removeEventListener: (type, listener, options) =>
      target.removeEventListener(type, listener as (event: Event) => void, options),
  };
  return { store, dispatch: (event) => target.dispatchEvent(new CustomEvent(event.type, { detail: event })) };
}

async function originUsage(): Promise<StoreUsage["origin"]> {
  try {
    const [{ usage, quota }, persisted] = await Promise.all([
      navigator.storage.estimate(),
      navigator.storage.persisted(),
    ]);
    return usage === undefined || quota === undefined ? undefined : { usage, quota, persisted };
  } catch {
    return undefined;
  }
}
