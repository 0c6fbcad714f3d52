// The personal models of the worker: one for each base model and name, on one database and one key store.
import { InsituError } from "../../shared/errors.js";
import type { PersonalMethod, PersonalRequest, PersonalResult } from "../../shared/protocol.js";
import { requireSecureContext } from "../../shared/secure-context.js";
import { sha256 } from "../../shared/sha256.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { StoredClassifier } from "../../shared/types/personal.js";
import { canonicalJson } from "../package/canonical-json.js";
import type { ModelRunner } from "../runtime/model-runner.js";
import type { Scheduler } from "../runtime/scheduling/scheduler.js";
import type { Engine } from "../runtime/session/engine.js";
import type { BaseModel, CallContext } from "./base-model.js";
import { openPersonalDatabase, type PersonalDatabase } from "./database.js";
import { callPersonal } from "./handlers.js";
import { createFallbackKeyStore, type FallbackKeyStore, openKeyStore } from "./key-store.js";
import { ModelRecord } from "./model-record.js";
import { PersonalModel } from "./personal-model.js";
import { toExampleRow, toVersionRow } from "./record-cipher.js";
import type { FitSoftmax } from "./softmax-head.js";

export interface PersonalBase {
  runner: ModelRunner;
  manifest: Manifest;
  ref: ModelRef;
}

export interface PersonalDeps {
  /** Name of the page's store, which the names of database and keys begin with. */
  storage: string;
  engine: Engine;
  scheduler: Scheduler;
  /** See `BaseModel`. */
  training: () => Promise<FitSoftmax>;
}

export class PersonalRegistry {
  readonly #databaseName: string;
  readonly #database: PersonalDatabase;
  readonly #keyStore: FallbackKeyStore;
  readonly #deps: PersonalDeps;
  /** By the open base model: another release of it computes other embeddings. */
  readonly #models = new WeakMap<ModelRunner, Map<string, Promise<PersonalModel>>>();

  constructor(deps: PersonalDeps) {
    const { storage } = deps;
    this.#deps = deps;
    this.#databaseName = `${storage}-personal`;
    this.#database = openPersonalDatabase(this.#databaseName);
    this.#keyStore = createFallbackKeyStore(openKeyStore(storage));
  }

  /** Calls a method of the personal model `name` on top of `base`. */
  async call<M extends PersonalMethod>(
    base: PersonalBase,
    name: string,
    request: PersonalRequest<M>,
    context: CallContext,
  ): Promise<PersonalResult<M>> {
    requireSecureContext("A personal model");
    return callPersonal(await this.#modelOf(base, name), request, context);
  }

  async list(): Promise<StoredClassifier[]> {
    const what = "list the personal models";
    const rows = await this.#database.change(what, "read", (change) => change.all("models", []));
    const all: StoredClassifier[] = [];
    for (const { model, name } of rows) {
      const [examples, versions] = await this.#database.change(what, "read", async (change) => [
        (await change.all("examples", [model, name])).map(toExampleRow),
        (await change.all("versions", [model, name])).map(toVersionRow),
      ]);
      const bytes = [...examples, ...versions].reduce((sum, { cipherText }) => sum + cipherText.byteLength, 0);
      // Its first example is being added, or was refused.
      if (examples.length + versions.length === 0) continue;
      all.push({ kind: "classifier", model, name, examples: examples.length, versions: versions.length, bytes });
    }
    return all;
  }

  async forgetAll(): Promise<void> {
    // The keys first: rows without their key cannot be read.
    await this.#keyStore.eraseAll();
    await this.#database.destroy();
  }

  #modelOf(base: PersonalBase, name: string): Promise<PersonalModel> {
    const models = this.#models.get(base.runner) ?? new Map<string, Promise<PersonalModel>>();
    this.#models.set(base.runner, models);
    const model = models.get(name) ?? this.#open(base, name);
    models.set(name, model);
    model.catch(() => models.delete(name));
    return model;
  }

  async #open({ runner, manifest, ref }: PersonalBase, name: string): Promise<PersonalModel> {
    if (!manifest.embedding) {
      const message = `${ref.name} cannot be personalized: its manifest has no embedding. Pack it again with "embedding": { "node": … } in the --task file.`;
      throw new InsituError("model_format", message, { field: "embedding" });
    }
    const { scheduler, engine, training } = this.#deps;
    const base: BaseModel = {
      ref,
      embedder: await embedderOf(manifest),
      scheduler,
      embed: (input, signal) => runner.embed(input, { signal }),
      lease: () => scheduler.runExclusive(() => engine.lease(runner.target())),
      training,
    };
    const lockName = `${this.#databaseName}:${JSON.stringify([ref.name, name])}`;
    return new PersonalModel({
      record: new ModelRecord(this.#database, this.#keyStore, ref.name, name),
      base,
      storeError: () => this.#database.problem() ?? this.#keyStore.problem(),
      lock: (signal, run) => exclusively(lockName, signal, run),
    });
  }
}

/** A hash of everything that the embedding depends on, and nothing else: a release that changes labels or signatures keeps it. */
function embedderOf({ format, files, selfTest = [], inputs, embedding }: Manifest): Promise<string> {
  const tests = new Set(selfTest.flatMap(({ input, outputs }) => [input, outputs]));
  const content = files.filter(({ path }) => !tests.has(path));
  return sha256(new TextEncoder().encode(canonicalJson({ format, files: content, inputs, embedding })));
}

/** Runs one at a time over all tabs. Without Web Locks two may run at once; each still commits its version whole or not at all. */
async function exclusively<T>(name: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const { locks } = navigator as Partial<WorkerNavigator>;
  if (!locks) return run();
  try {
    return await (locks.request(name, { signal }, run) as Promise<T>);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError" && signal.aborted)
      throw new InsituError("aborted", "The training was aborted before it began.", {}, { cause: signal.reason });
    throw error;
  }
}
