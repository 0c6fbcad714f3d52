// The models that are open in this worker, by handle and by address; handles of one package share a model.
import { InsituError } from "../shared/errors.js";
import type { BackendChange, LoadedModel, Residence } from "../shared/protocol.js";
import type { Manifest } from "../shared/types/manifest.js";
import type { ModelRef } from "../shared/types/model.js";
import type { ModelRunner } from "./runtime/model-runner.js";

export interface OpenModel {
  url: string;
  manifest: Manifest;
  ref: ModelRef;
  /** As it was when it was loaded; where it runs now is the runner's to say. */
  info: LoadedModel["info"];
  live: ModelRunner;
  /** Settles with the reason why the package is not stored, if so. */
  kept: Promise<InsituError | undefined>;
}

export interface ResidenceChange {
  models: number[];
  residence: Residence;
  moved?: BackendChange;
}

export class OpenModels {
  readonly #byHandle = new Map<number, OpenModel>();
  readonly #byUrl = new Map<string, OpenModel>();
  readonly #onResidence: (change: ResidenceChange) => void;
  #nextHandle = 1;

  constructor(onResidence: (change: ResidenceChange) => void) {
    this.#onResidence = onResidence;
  }

  /** Throws `disposed` for a handle that was released. */
  get(handle: number): OpenModel {
    const model = this.#byHandle.get(handle);
    if (model) return model;
    throw new InsituError("disposed", "The model was disposed; load it again.");
  }

  find(handle: number): OpenModel | undefined {
    return this.#byHandle.get(handle);
  }

  at(url: string): OpenModel | undefined {
    return this.#byUrl.get(url);
  }

  /** Whether a handle on the model exists. */
  has(model: OpenModel): boolean {
    return [...this.#byHandle.values()].includes(model);
  }

  /** A new handle; later loads of the address find this model. */
  add(model: OpenModel): number {
    const handle = this.#nextHandle++;
    this.#byUrl.set(model.url, model);
    this.#byHandle.set(handle, model);
    return handle;
  }

  /** Disposes the model with its last handle; uses the engine. Unknown handles are ignored. */
  release(handle: number): void {
    const model = this.#byHandle.get(handle);
    if (!model) return;
    this.#byHandle.delete(handle);
    if (this.has(model)) return;
    if (this.#byUrl.get(model.url) === model) this.#byUrl.delete(model.url);
    model.live.dispose();
  }

  /** Reports where a model runs now to those who hold a handle on it. */
  changed(live: ModelRunner, residence: Residence, moved?: BackendChange): void {
    const models = [...this.#byHandle].filter(([, model]) => model.live === live).map(([handle]) => handle);
    if (models.length > 0) this.#onResidence({ models, residence, ...(moved && { moved }) });
  }
}
