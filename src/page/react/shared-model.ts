// Shares loads between components: one model for each client, package and options, which is freed after its last user.
import type { InsituError } from "../../shared/errors.js";
import type { TaskKind } from "../../shared/types/manifest.js";
import type { LoadProgress } from "../../shared/types/model.js";
import type { LoadOptions } from "../api-types.js";
import type { Client } from "../client.js";
import type { Model } from "../model.js";

/** What a load takes, without what the hook does itself. */
export type UseModelOptions<K extends TaskKind = TaskKind> = Omit<LoadOptions<K>, "signal" | "onProgress">;

/** `idle`: no URL was given. */
export type ModelStatus = ModelState["status"];

/** Where a load is; `progress` is what the load reported last. */
export type ModelState<K extends TaskKind = TaskKind> =
  | { status: "idle"; model?: undefined; progress?: undefined; error?: undefined }
  | { status: "loading"; model?: undefined; progress?: LoadProgress; error?: undefined }
  | { status: "ready"; model: Model<K>; progress?: LoadProgress; error?: undefined }
  | { status: "error"; model?: undefined; progress?: LoadProgress; error: InsituError };

export const IDLE: ModelState = { status: "idle" };
export const LOADING: ModelState = { status: "loading" };

// A component that is shown again within this time, such as a dialog, needs no second load.
const KEEP_MS = 5_000;

/** A load that several components wait for, and its model. */
class SharedModel {
  state = LOADING;
  #load: () => Promise<Model>;
  #onRemoved: () => void;
  #controller = new AbortController();
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, url: string, options: UseModelOptions, onRemoved: () => void) {
    this.#onRemoved = onRemoved;
    this.#load = () => {
      this.#controller = new AbortController();
      const { signal } = this.#controller;
      const onProgress = (progress: LoadProgress) => signal.aborted || this.#set({ status: "loading", progress });
      return client.load(url, { ...options, signal, onProgress });
    };
    void this.start();
  }

  /** Loads, for the first time or after a failure. */
  async start(): Promise<void> {
    this.#set(LOADING);
    const loading = this.#load();
    const { signal } = this.#controller;
    try {
      const model = await loading;
      if (signal.aborted) await model.dispose();
      else this.#set({ status: "ready", model, progress: this.state.progress });
    } catch (error) {
      const { progress } = this.state;
      if (!signal.aborted) this.#set({ status: "error", error: error as InsituError, progress });
    }
  }

  /** Returns the function that ends the use. */
  use(listener: () => void): () => void {
    clearTimeout(this.#timer);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      // In a later task: React's StrictMode and hot updates unmount components and mount them again at once.
      const delay = this.state.status === "ready" ? KEEP_MS : 0;
      if (this.#listeners.size === 0) this.#timer = setTimeout(() => this.#remove(), delay);
    };
  }

  #remove(): void {
    this.#onRemoved();
    this.#controller.abort();
    void this.state.model?.dispose();
  }

  #set(state: ModelState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

const models = new WeakMap<Client, Map<string, SharedModel>>();

/** The shared load under this key, if a component uses it. */
export const findModel = (client: Client | undefined, key: string): SharedModel | undefined =>
  client && models.get(client)?.get(key);

/** The same, started if it is missing. */
export function openModel(client: Client, key: string, url: string, options: UseModelOptions): SharedModel {
  const byKey = models.get(client) ?? new Map<string, SharedModel>();
  models.set(client, byKey);
  const found = byKey.get(key) ?? new SharedModel(client, url, options, () => byKey.delete(key));
  byKey.set(key, found);
  return found;
}
