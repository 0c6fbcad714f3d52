// The head that a personal model answers with: of the version in use, or of all examples before the first training.
import { InsituError } from "../../shared/errors.js";
import type { ExampleStore } from "./example-store.js";
import type { Head } from "./head.js";
import type { ModelRecord } from "./model-record.js";
import { fitNearestMean } from "./nearest-mean.js";
import type { DecryptedExample, StoredVersion } from "./record-cipher.js";
import type { VersionStore } from "./version-store.js";

export interface ActiveVersion {
  head: Head;
  /** 0 before the first training. */
  version: number;
}

interface CachedVersion extends ActiveVersion {
  revision: number;
  keyId: string;
  examples: number;
}

export class ActiveHead {
  readonly #record: ModelRecord;
  readonly #examples: ExampleStore;
  readonly #versions: VersionStore;
  readonly #embedder: string;
  #cached: CachedVersion | undefined;

  constructor(record: ModelRecord, examples: ExampleStore, versions: VersionStore, embedder: string) {
    this.#record = record;
    this.#examples = examples;
    this.#versions = versions;
    this.#embedder = embedder;
    record.onReset(() => {
      this.#cached = undefined;
    });
  }

  /** Rejects with `input_invalid` when there is no example that the loaded model can use. */
  async get(): Promise<ActiveVersion> {
    const state = await this.#record.state();
    const cached = this.#cached;
    const isCurrent = state && cached?.revision === state.revision && cached.keyId === state.keyId;
    // New examples change the answer only before the first training.
    if (isCurrent && (cached.version > 0 || cached.examples === state.examples)) return cached;
    const version = state && (await this.trained(state.active));
    const active = version ? { head: version.head, version: version.facts.version } : await this.#untrained();
    if (state) {
      const { revision, keyId, examples } = state;
      this.#cached = { ...active, revision, keyId, examples };
    }
    return active;
  }

  /** The version `active`, where there is one that the loaded model can use. */
  async trained(active: number): Promise<StoredVersion | undefined> {
    const version = active > 0 ? await this.#versions.get(active) : undefined;
    return version?.embedder === this.#embedder ? version : undefined;
  }

  /** The examples whose embeddings are the loaded model's, and the number of all others. */
  async usableExamples(): Promise<{ examples: DecryptedExample[]; unusable: number }> {
    const { examples: all, damaged } = await this.#examples.list();
    const examples = all.filter(({ embedder }) => embedder === this.#embedder);
    return { examples, unusable: all.length - examples.length + damaged };
  }

  async #untrained(): Promise<ActiveVersion> {
    const { examples, unusable } = await this.usableExamples();
    const [first] = examples;
    if (!first) {
      const lost = unusable > 0 ? ` ${unusable} examples belong to another release of the base model.` : "";
      const message = `The personal model ${this.#record.name} has no examples: call addExample first.${lost}`;
      throw new InsituError("input_invalid", message, { examples: 0, unusable });
    }
    const labels = [...new Set(examples.map(({ label }) => label))];
    const samples = examples.map(({ vector, label }) => ({ vector, class: labels.indexOf(label) }));
    return { head: fitNearestMean(samples, labels, first.vector.length), version: 0 };
  }
}
