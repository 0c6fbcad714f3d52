// The worker's desk for personal models: one for each base model and name, on one database and one vault.
import { InsituError } from "../../shared/errors.js";
import type { PersonalRequest, PersonalResult, StoredPersonalModel } from "../../shared/protocol.js";
import { requireSecureContext } from "../../shared/secure-context.js";
import { sha256 } from "../../shared/sha256.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { ModelRef } from "../../shared/types/model.js";
import { canonicalJson } from "../package/canonical-json.js";
import type { ModelRunner } from "../runtime/model-runner.js";
import type { Scheduler } from "../runtime/scheduling/scheduler.js";
import type { Engine } from "../runtime/session/engine.js";
import { openPersonalDatabase } from "./database.js";
import { openExampleStore } from "./example-store.js";
import { createFallbackKeyStore, openKeyStore } from "./key-store.js";
import { type BaseModel, type Call, createPersonalModel, type PersonalModel } from "./personal-model.js";

export interface PersonalBase {
  live: ModelRunner;
  manifest: Manifest;
  ref: ModelRef;
}

export interface PersonalRegistry {
  ask<R extends PersonalRequest>(base: PersonalBase, name: string, request: R, call: Call): Promise<PersonalResult<R>>;
  list(): Promise<StoredPersonalModel[]>;
  forgetAll(): Promise<void>;
}

export function createPersonalRegistry(storage: string, engine: Engine, turns: Scheduler): PersonalRegistry {
  const database = `${storage}-personal`;
  const records = openPersonalDatabase(database);
  const vault = createFallbackKeyStore(openKeyStore(storage));
  // By the open model: another version of it embeds otherwise.
  const desks = new WeakMap<ModelRunner, Map<string, Promise<PersonalModel>>>();
  const problem = () => records.problem() ?? vault.problem();

  const open = async ({ live, manifest, ref }: PersonalBase, name: string): Promise<PersonalModel> => {
    if (!manifest.embedding) {
      const message = `${ref.name} cannot learn: its manifest names no embedding. Pack it again with "embedding": { "node": … } in the --task file.`;
      throw new InsituError("model_format", message, { field: "embedding" });
    }
    const base: BaseModel = {
      ref,
      embedder: await embedderOf(manifest),
      turns,
      embed: (input, signal) => live.embed(input, { signal }),
      lease: () => turns.runExclusive(() => engine.lease(live.target())),
    };
    const lock = <T>(signal: AbortSignal, run: () => Promise<T>) =>
      exclusively(`${database}:${JSON.stringify([ref.name, name])}`, signal, run);
    return createPersonalModel(openExampleStore(records, vault, ref.name, name), base, name, problem, lock);
  };

  const personalOf = (base: PersonalBase, name: string): Promise<PersonalModel> => {
    const mine = desks.get(base.live) ?? new Map<string, Promise<PersonalModel>>();
    desks.set(base.live, mine);
    const found = mine.get(name) ?? open(base, name);
    mine.set(name, found);
    found.catch(() => mine.delete(name));
    return found;
  };

  return {
    async ask(base, name, request, call) {
      requireSecureContext("A personal model");
      const answer = await answered(await personalOf(base, name), request, call);
      return answer as PersonalResult<typeof request>;
    },
    async list() {
      const rows = await records.change("list what was learned", "read", (change) => change.all("models", []));
      const all: StoredPersonalModel[] = [];
      for (const { model, name } of rows) {
        const [examples, versions] = await records.change("list what was learned", "read", async (change) => [
          await change.all("examples", [model, name]),
          await change.all("versions", [model, name]),
        ]);
        const bytes = [...examples, ...versions].reduce((sum, { box }) => sum + box.byteLength, 0);
        all.push({ model, name, examples: examples.length, versions: versions.length, bytes });
      }
      return all;
    },
    async forgetAll() {
      // The keys first: whatever stays of the rows after that is noise.
      await vault.eraseAll();
      await records.destroy();
    },
  };
}

async function answered(personal: PersonalModel, request: PersonalRequest, call: Call): Promise<PersonalResult> {
  switch (request.kind) {
    case "state":
      return personal.state();
    case "add":
      return personal.add(request, call);
    case "examples":
      return personal.examples();
    case "kept":
      return personal.kept(request.id);
    case "remove":
      return personal.remove(request);
    case "train":
      return personal.train(request, call);
    case "predict":
      return personal.predict(request.input, call);
    case "evaluate":
      return personal.evaluate();
    case "versions":
      return personal.versions();
    case "revert":
      return personal.revert(request.version);
    case "export":
      return personal.export(request.kept);
    case "import":
      return personal.import(request.file);
    case "forget":
      await personal.forget();
      return undefined;
    default:
      return request satisfies never;
  }
}

/** Of what the embedding depends on alone: a release that changes labels or a signature keeps it. */
function embedderOf({ format, files, selfTest = [], inputs, embedding }: Manifest): Promise<string> {
  const tests = new Set(selfTest.flatMap(({ input, outputs }) => [input, outputs]));
  const content = files.filter(({ path }) => !tests.has(path));
  return sha256(new TextEncoder().encode(canonicalJson({ format, files: content, inputs, embedding })));
}

/** One at a time over all tabs. Where there are no Web Locks two may run; a version is kept whole or not at all then too. */
async function exclusively<T>(name: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const { locks } = navigator as Partial<WorkerNavigator>;
  if (!locks) return run();
  try {
    return await (locks.request(name, { signal }, run) as Promise<T>);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError" && signal.aborted)
      throw new InsituError("aborted", "The training was aborted before it began.", {});
    throw error;
  }
}
