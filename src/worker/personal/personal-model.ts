// A personal model in the worker: what is asked of it, on top of a base model that makes the embeddings.
import { InsituError, toWire } from "../../shared/errors.js";
import type { PersonalRequest, PersonalResults, WireInput } from "../../shared/protocol.js";
import type { ModelRef } from "../../shared/types/model.js";
import type {
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalVersion,
  TrainingProgress,
} from "../../shared/types/personal.js";
import type { EmbeddingResult } from "../runtime/model-runner.js";
import type { Scheduler } from "../runtime/scheduling/scheduler.js";
import type { Lease } from "../runtime/session/engine.js";
import { evaluate } from "./evaluate.js";
import type { ExampleStore } from "./example-store.js";
import { MAX_LABEL_LENGTH } from "./export-schema.js";
import { applyHead, type Head } from "./head.js";
import { exportModel, importModel } from "./import-export.js";
import { fitNearestMean } from "./nearest-mean.js";
import type { DecryptedModel, StoredVersion } from "./record-cipher.js";
import { fromStoredInput, storedInputBlob, toStoredInput } from "./stored-input.js";
import { trainVersion } from "./training.js";

/** The base model, as far as learning needs it. */
export interface BaseModel {
  ref: ModelRef;
  /** Names what computes the embedding: the same for two releases whose embeddings are the same. */
  embedder: string;
  embed(input: WireInput, signal: AbortSignal): Promise<EmbeddingResult>;
  /** Its backend, to train on. */
  lease(): Promise<Lease>;
  turns: Scheduler;
}

export interface Call {
  signal: AbortSignal;
  onProgress(progress: TrainingProgress): void;
}

export interface PersonalModel {
  state(): Promise<PersonalResults["state"]>;
  add(request: Extract<PersonalRequest, { kind: "add" }>, call: Call): Promise<PersonalResults["add"]>;
  examples(): Promise<PersonalExample[]>;
  kept(id: string): Promise<Blob | undefined>;
  remove(what: { id?: string; label?: string }): Promise<number>;
  train(request: Extract<PersonalRequest, { kind: "train" }>, call: Call): Promise<PersonalVersion>;
  predict(input: WireInput, call: Call): Promise<PersonalResults["predict"]>;
  evaluate(): Promise<PersonalEvaluation>;
  versions(): Promise<PersonalVersion[]>;
  revert(version?: number): Promise<PersonalVersion>;
  export(kept: boolean): Promise<Blob>;
  import(file: Blob): Promise<ImportResult>;
  forget(): Promise<void>;
}

interface Using {
  head: Head;
  /** 0: of no training. */
  version: number;
}

export function createPersonalModel(
  book: ExampleStore,
  base: BaseModel,
  name: string,
  problem: () => InsituError | undefined,
  lock: <T>(signal: AbortSignal, run: () => Promise<T>) => Promise<T>,
): PersonalModel {
  let using: (Using & { revision: number; keyId: string; examples: number }) | undefined;

  const usable = async (): Promise<{ examples: DecryptedModel[]; unusable: number }> => {
    const { examples, damaged } = await book.examples();
    const mine = examples.filter(({ embedder }) => embedder === base.embedder);
    return { examples: mine, unusable: examples.length - mine.length + damaged };
  };

  const told = ({ facts, embedder }: StoredVersion): PersonalVersion => ({
    ...facts,
    usable: embedder === base.embedder,
  });

  const running = async (active: number): Promise<StoredVersion | undefined> => {
    const version = active > 0 ? await book.version(active) : undefined;
    return version?.embedder === base.embedder ? version : undefined;
  };

  /** The head to answer with: of the version in use, else of the examples as they are. */
  const current = async (): Promise<Using> => {
    const state = await book.state();
    const isKnown = state && using?.revision === state.revision && using.keyId === state.keyId;
    // What no training has seen changes the answer only where there was none.
    if (isKnown && using && (using.version > 0 || using.examples === state.examples)) return using;
    const version = state && (await running(state.active));
    const found = version ? { head: version.head, version: version.facts.version } : await untrained();
    if (state) using = { ...found, revision: state.revision, keyId: state.keyId, examples: state.examples };
    return found;
  };

  const untrained = async (): Promise<Using> => {
    const { examples, unusable } = await usable();
    const [first] = examples;
    if (!first) {
      const lost = unusable > 0 ? ` ${unusable} examples are of another version of the model.` : "";
      const message = `${name} has learned nothing yet: add an example first.${lost}`;
      throw new InsituError("input_invalid", message, { examples: 0, unusable });
    }
    const labels = [...new Set(examples.map(({ label }) => label))];
    const samples = examples.map(({ vector, label }) => ({ vector, class: labels.indexOf(label) }));
    return { head: fitNearestMean(samples, labels, first.vector.length), version: 0 };
  };

  /** What was kept with examples of another version of the model is embedded by this one. */
  const embedAgain = async ({ signal, onProgress }: Call): Promise<void> => {
    const { examples } = await book.examples();
    const others = examples.filter(({ embedder, kept }) => kept && embedder !== base.embedder);
    for (const [index, { id }] of others.entries()) {
      onProgress({ phase: "embed", done: index, total: others.length });
      const input = await book.input(id);
      if (!input) continue;
      const { vector } = await base.embed(fromStoredInput(input.kept, input.parts), signal);
      await book.embedAgain(id, base.embedder, vector);
    }
  };

  return {
    async state() {
      const [state, { examples: all, damaged }, versions] = await Promise.all([
        book.state(),
        book.examples(),
        book.versions(),
      ]);
      const examples = all.filter(({ embedder }) => embedder === base.embedder);
      const again = all.filter(({ embedder, kept }) => kept && embedder !== base.embedder).length;
      const labels = new Map<string, number>();
      for (const { label } of examples) labels.set(label, (labels.get(label) ?? 0) + 1);
      const version = state ? await running(state.active) : undefined;
      const storeError = problem();
      return {
        name,
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
    },
    async add({ id, label, keep, input }, { signal }) {
      if (label.length > MAX_LABEL_LENGTH) {
        const message = `The label has ${label.length} characters, ${MAX_LABEL_LENGTH} are the most.`;
        throw new InsituError("input_invalid", message, { length: label.length, most: MAX_LABEL_LENGTH });
      }
      // Before the run, which closes the picture.
      const content = keep ? await toStoredInput(input) : undefined;
      const { vector, backend, timings, memory } = await base.embed(input, signal);
      const time = Date.now();
      const started = performance.now();
      const example = { id, label, time, embedder: base.embedder, vector, ...(content && { input: content }) };
      await book.add([example]);
      timings.postprocessMs += performance.now() - started;
      return { id, label, addedAt: time, kept: keep, heldOut: false, usable: true, backend, timings, memory };
    },
    async examples() {
      const { examples } = await book.examples();
      return examples.map(({ id, label, time, kept, heldOut = false, embedder }) => {
        return { id, label, addedAt: time, kept, heldOut, usable: embedder === base.embedder };
      });
    },
    async kept(id) {
      const input = await book.input(id);
      return input && storedInputBlob(input.kept, input.parts);
    },
    async remove({ id, label }) {
      if (id !== undefined) return book.remove([id]);
      const { examples } = await book.examples();
      return book.remove(examples.filter((example) => example.label === label).map((example) => example.id));
    },
    train: ({ budget, trigger }, call) =>
      // Two tabs that train at once would each judge by what the other learns from.
      lock(call.signal, async () => {
        await embedAgain(call);
        const state = await book.state();
        const { examples } = await usable();
        const lease = await base.lease();
        try {
          const until = performance.now() + budget;
          const { made, heldOut } = await trainVersion({
            examples,
            running: state && (await running(state.active)),
            embedder: base.embedder,
            base: base.ref,
            trigger,
            bench: { lease, turns: base.turns, until, ...call },
          });
          if (call.signal.aborted) throw new InsituError("aborted", "The training was aborted.", {});
          call.onProgress({ phase: "store", done: 0, total: 1 });
          const version = await book.commit(made, heldOut);
          call.onProgress({ phase: "store", done: 1, total: 1 });
          return { ...made.facts, version, usable: true };
        } finally {
          lease.end();
        }
      }),
    async predict(input, { signal }) {
      const [{ head, version }, { vector, backend, timings, memory }] = await Promise.all([
        current(),
        base.embed(input, signal),
      ]);
      const started = performance.now();
      checkSize(head, vector, name);
      const { scores, class: best, distance } = applyHead(head, vector);
      const value = head.labels
        .map((label, index) => ({ label, index, score: scores[index] as number }))
        .sort((a, b) => b.score - a.score);
      timings.postprocessMs += performance.now() - started;
      const label = distance > 1 ? undefined : head.labels[best];
      return { value, label, distance, head: head.kind, version, backend, timings, memory };
    },
    async evaluate() {
      const [{ head, version }, { examples }] = await Promise.all([current(), usable()]);
      return evaluate(
        head,
        version,
        examples.filter(({ heldOut }) => heldOut),
      );
    },
    versions: async () => (await book.versions()).map(told),
    async revert(wanted) {
      const state = await book.state();
      const now = state && (await book.version(state.active));
      const number = wanted ?? now?.facts.parent;
      const version = number === undefined ? undefined : await book.version(number);
      if (!version) {
        const what = wanted === undefined ? "no version before the one in use" : `no version ${wanted}`;
        const message = `${name} has ${what}; versions() lists those there are.`;
        throw new InsituError("input_invalid", message, { version: number });
      }
      if (version.embedder !== base.embedder) {
        const { base: other } = version.facts;
        const message = `Version ${number} of ${name} was trained on ${other.name} ${other.version}; this is ${base.ref.version}. Train again, or load that version.`;
        throw new InsituError("input_invalid", message, { version: number, base: other, running: base.ref });
      }
      await book.use(version.facts.version);
      return told(version);
    },
    export: (kept) => exportModel(book, base.ref, kept),
    import: (file) => importModel(book, base, file),
    async forget() {
      using = undefined;
      await book.forget();
    },
  };
}

function checkSize({ size }: Head, vector: Float32Array, name: string): void {
  if (size === vector.length) return;
  const message = `What ${name} was taught does not fit the model: it has ${size} numbers an embedding, the model gives ${vector.length}. Forget it, and teach it again.`;
  throw new InsituError("storage_corrupt", message, { size, given: vector.length });
}
