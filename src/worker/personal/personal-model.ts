// A personal model in the worker: one method for each call, on top of a base model that computes the embeddings.
import { InsituError, toWire } from "../../shared/errors.js";
import type { PersonalArguments, PersonalResult, WireInput } from "../../shared/protocol.js";
import type {
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalVersion,
} from "../../shared/types/personal.js";
import { ActiveHead } from "./active-head.js";
import type { BaseModel, CallContext } from "./base-model.js";
import { evaluate } from "./evaluate.js";
import { ExampleStore } from "./example-store.js";
import { MAX_LABEL_LENGTH } from "./export-schema.js";
import { applyHead, type Head } from "./head.js";
import { exportModel, importModel } from "./import-export.js";
import { lifeOf } from "./life.js";
import type { ModelRecord } from "./model-record.js";
import { ModelTraining } from "./model-training.js";
import type { StoredVersion } from "./record-cipher.js";
import { storedInputBlob, toStoredInput } from "./stored-input.js";
import { VersionStore } from "./version-store.js";

export interface PersonalModelDeps {
  record: ModelRecord;
  base: BaseModel;
  /** Why nothing is stored; undefined while it is. */
  storeError(): InsituError | undefined;
  /** Runs one training at a time over all tabs. */
  lock<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T>;
}

export class PersonalModel {
  readonly #deps: PersonalModelDeps;
  readonly #base: BaseModel;
  readonly #name: string;
  readonly #record: ModelRecord;
  readonly #examples: ExampleStore;
  readonly #versions: VersionStore;
  readonly #active: ActiveHead;
  readonly #training: ModelTraining;

  constructor(deps: PersonalModelDeps) {
    this.#deps = deps;
    this.#base = deps.base;
    this.#record = deps.record;
    this.#name = deps.record.name;
    this.#examples = new ExampleStore(deps.record);
    this.#versions = new VersionStore(deps.record, this.#examples);
    this.#active = new ActiveHead(deps.record, this.#examples, this.#versions, deps.base.embedder);
    this.#training = new ModelTraining(this.#stores(), this.#active, deps.base);
  }

  async state(): Promise<PersonalResult<"state">> {
    const [state, { examples: all, damaged }, versions] = await Promise.all([
      this.#record.state(),
      this.#examples.list(),
      this.#versions.list(),
    ]);
    const examples = all.filter(({ embedder }) => this.#isUsable(embedder));
    const again = all.filter(({ embedder, kept }) => kept && !this.#isUsable(embedder)).length;
    const labels = new Map<string, number>();
    for (const { label } of examples) labels.set(label, (labels.get(label) ?? 0) + 1);
    const version = state && (await this.#active.trained(state.active));
    const storeError = this.#deps.storeError();
    return {
      name: this.#name,
      labels: Object.fromEntries(labels),
      examples: examples.length,
      unusable: all.length - examples.length - again + damaged,
      fresh: examples.filter(({ heldOut }) => heldOut === undefined).length,
      again,
      version: version?.facts.version ?? 0,
      accuracy: version?.facts.judged[version.facts.head]?.accuracy,
      trainedAt: versions.at(-1)?.facts.trainedAt,
      bytes: [...all, ...versions].reduce((sum, { bytes }) => sum + bytes, 0),
      ...(storeError && { storeError: toWire(storeError) }),
    };
  }

  async addExample(
    { id, label, keep, input }: PersonalArguments<"addExample">,
    { signal }: CallContext,
  ): Promise<PersonalResult<"addExample">> {
    if (label.length > MAX_LABEL_LENGTH) {
      const message = `The example was not added: its label has ${label.length} characters, at most ${MAX_LABEL_LENGTH} are allowed.`;
      throw new InsituError("input_invalid", message, { length: label.length, max: MAX_LABEL_LENGTH });
    }
    const begun = this.#record.begin();
    // It is awaited when the embedding is there, which may fail first.
    begun.catch(() => undefined);
    // Before the run, which closes the image.
    const content = keep ? await toStoredInput(input) : undefined;
    const { embedder } = this.#base;
    const { vector, backend, timings, memory } = await this.#base.embed(input, signal);
    const addedAt = Date.now();
    const started = performance.now();
    const example = { id, label, addedAt, embedder, vector, ...(content && { input: content }) };
    await this.#examples.add(await begun, example);
    timings.postprocessMs += performance.now() - started;
    return { id, label, addedAt, kept: keep, heldOut: false, usable: true, backend, timings, memory };
  }

  async examples(): Promise<PersonalExample[]> {
    const { examples } = await this.#examples.list();
    return examples.map(({ id, label, addedAt, kept, heldOut = false, embedder }) => {
      return { id, label, addedAt, kept, heldOut, usable: this.#isUsable(embedder) };
    });
  }

  async kept(id: string): Promise<Blob | undefined> {
    const input = await this.#examples.input(id);
    return input && storedInputBlob(input.kept, input.parts);
  }

  async remove({ id, label }: PersonalArguments<"remove">): Promise<number> {
    if (id !== undefined) return this.#examples.remove([id]);
    return label === undefined ? 0 : this.#examples.removeClass(label);
  }

  async train(args: PersonalArguments<"train">, context: CallContext): Promise<PersonalVersion> {
    const life = await this.#record.peek();
    // Two tabs that train at once would each evaluate on what the other trains on.
    return this.#deps.lock(context.signal, () => this.#training.run(life, args, context));
  }

  async predict(input: WireInput, { signal }: CallContext): Promise<PersonalResult<"predict">> {
    const [{ head, version }, { vector, backend, timings, memory }] = await Promise.all([
      this.#active.get(),
      this.#base.embed(input, signal),
    ]);
    const started = performance.now();
    checkSize(head, vector, this.#name);
    const { scores, class: best, distance } = applyHead(head, vector);
    const value = head.labels
      .map((label, index) => ({ label, index, score: scores[index] as number }))
      .sort((a, b) => b.score - a.score);
    timings.postprocessMs += performance.now() - started;
    return {
      value,
      outputs: { embedding: { dtype: "float32", shape: [1, vector.length], data: vector } },
      label: distance > 1 ? undefined : head.labels[best],
      distance,
      head: head.kind,
      version,
      model: this.#base.ref,
      backend,
      timings,
      memory,
    };
  }

  async evaluate(): Promise<PersonalEvaluation> {
    const [{ head, version }, { examples }] = await Promise.all([this.#active.get(), this.#active.usableExamples()]);
    return evaluate(
      head,
      version,
      examples.filter(({ heldOut }) => heldOut),
    );
  }

  async versions(): Promise<PersonalVersion[]> {
    return (await this.#versions.list()).map((version) => this.#describe(version));
  }

  async revert(wanted: number | undefined): Promise<PersonalVersion> {
    const state = await this.#record.state();
    const current = state && (await this.#versions.get(state.active));
    const number = wanted ?? current?.facts.parent;
    const version = number === undefined ? undefined : await this.#versions.get(number);
    if (!state || !version) {
      const what = wanted === undefined ? "no version before the one in use" : `no version ${wanted}`;
      const message = `The personal model ${this.#name} has ${what}; versions() returns those that exist.`;
      throw new InsituError("input_invalid", message, { version: number });
    }
    if (!this.#isUsable(version.embedder)) {
      const { ref } = this.#base;
      const { base: other } = version.facts;
      const message = `Version ${number} of ${this.#name} was trained on ${other.name} ${other.version}, but ${ref.version} is loaded. Train again, or load ${other.version}.`;
      throw new InsituError("input_invalid", message, { version: number, base: other, loaded: ref });
    }
    await this.#versions.use(lifeOf(state, 0), version.facts.version);
    return this.#describe(version);
  }

  export(kept: boolean): Promise<Blob> {
    return exportModel(this.#stores(), this.#base.ref, kept);
  }

  import(file: Blob): Promise<ImportResult> {
    return importModel(this.#stores(), this.#base, file);
  }

  forget(): Promise<void> {
    return this.#record.forget();
  }

  #stores() {
    return { record: this.#record, examples: this.#examples, versions: this.#versions };
  }

  #isUsable(embedder: string): boolean {
    return embedder === this.#base.embedder;
  }

  #describe({ facts, embedder }: StoredVersion): PersonalVersion {
    return { ...facts, usable: this.#isUsable(embedder) };
  }
}

function checkSize({ size }: Head, vector: Float32Array, name: string): void {
  if (size === vector.length) return;
  const message = `The personal model ${name} does not fit the loaded model: its embeddings have ${size} numbers, the model computes ${vector.length}. Call forget(), and add the examples again.`;
  throw new InsituError("storage_corrupt", message, { size, given: vector.length });
}
