// Exports a personal model to a file, and adds the content of such a file to what is stored.
import { InsituError } from "../../shared/errors.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { ImportResult } from "../../shared/types/personal.js";
import type { ExampleStore } from "./example-store.js";
import { type ExportedModel, fromFile, toFile } from "./export-format.js";
import type { ExportedExample, ExportedVersion } from "./export-schema.js";
import type { Life } from "./life.js";
import type { ModelRecord } from "./model-record.js";
import type { NewVersion, StoredVersion } from "./record-cipher.js";
import type { VersionStore } from "./version-store.js";

/** Where one personal model is stored. */
export interface PersonalStores {
  record: ModelRecord;
  examples: ExampleStore;
  versions: VersionStore;
}

/** @param kept - Whether to include the inputs that were kept. */
export async function exportModel(stores: PersonalStores, { name }: ModelRef, kept: boolean): Promise<Blob> {
  const [state, { examples }, versions] = await Promise.all([
    stores.record.state(),
    stores.examples.list(),
    stores.versions.list(),
  ]);
  const exported: ExportedExample[] = [];
  for (const { id, label, addedAt, heldOut, embedder, vector, kept: hasInput } of examples) {
    const input = kept && hasInput ? await stores.examples.input(id) : undefined;
    const role = heldOut === undefined ? {} : { heldOut };
    exported.push({ id, label, addedAt, ...role, embedder, vector, ...(input && { input }) });
  }
  const file = { model: name, examples: exported, versions, active: state?.active ?? 0 };
  return new Blob([await toFile(file)], { type: "application/octet-stream" });
}

/**
 * All or nothing. Rejects with `input_invalid` for a file that cannot be imported, and with `disposed` when something was erased since it
 * began.
 */
export async function importModel(
  stores: PersonalStores,
  { ref, embedder: loaded }: { ref: ModelRef; embedder: string },
  file: Blob,
): Promise<ImportResult> {
  const begun = stores.record.begin();
  begun.catch(() => undefined);
  const { model, examples, versions, active } = await fromFile(new Uint8Array(await file.arrayBuffer()));
  if (model !== ref.name) {
    const message = `The file cannot be imported: it belongs to the base model ${model}, but ${ref.name} is loaded.`;
    throw new InsituError("input_invalid", message, { model, loaded: ref.name });
  }
  const stored = (await stores.examples.list()).examples;
  const heads = versions.map(({ head, embedder }) => ({ embedder, vector: { length: head.size } }));
  checkSizes([...stored, ...examples, ...heads]);
  const added = await store(stores, await begun, { examples, versions, active });
  const isUsable = ({ embedder, input }: ExportedExample) => embedder === loaded || input !== undefined;
  return {
    ...added,
    known: examples.length - added.examples,
    unusable: examples.filter((example) => !isUsable(example)).length,
  };
}

type Content = Pick<ExportedModel, "examples" | "versions" | "active">;

/** Returns how many were new. */
async function store(stores: PersonalStores, life: Life, { examples, ...rest }: Content) {
  const { record } = stores;
  const access = await record.access(life);
  const added = examples.map(({ input, ...example }) => ({
    ...example,
    ...(input && { input: { facts: input.kept, parts: input.parts } }),
  }));
  const exampleRows = await stores.examples.encrypt(access.key, added);
  for (;;) {
    const [state, stored] = await Promise.all([record.state(), stores.versions.list()]);
    const { nextVersion = 1, active = 0, revision = 0 } = state ?? {};
    const versions = newVersions({ ...rest, stored, nextVersion, inUse: active });
    const versionRows = await stores.versions.encrypt(access.key, nextVersion, versions);
    const fresh = await record.database.change("import a personal model", "strict", async (change) => {
      const row = await record.current(change, access, "removals");
      // Another tab trained, or uses another version.
      if (row.revision !== revision) return undefined;
      const fresh = await stores.examples.put(change, exampleRows);
      const used = versions.findIndex(({ facts }) => facts.activated);
      if (versionRows.length > 0)
        await stores.versions.put(change, row, versionRows, used < 0 ? row.active : nextVersion + used);
      return fresh;
    });
    if (fresh !== undefined) return { examples: fresh, versions: versions.length };
  }
}

interface Known {
  versions: ExportedVersion[];
  /** The version that the file's owner used. */
  active: number;
  stored: StoredVersion[];
  nextVersion: number;
  /** The version in use here; 0: none. */
  inUse: number;
}

/** Those that are not stored yet; the first one gets the number `nextVersion`. */
function newVersions({ versions, active, stored, nextVersion, inUse }: Known): NewVersion[] {
  const numbers = new Map<number, number>();
  const added: NewVersion[] = [];
  for (const { facts, embedder, head } of versions) {
    const { version, parent, ...rest } = facts;
    // The duration has a resolution of microseconds: two trainings do not share both.
    const same = stored.find(
      (one) => one.facts.trainedAt === facts.trainedAt && one.facts.durationMs === facts.durationMs,
    );
    if (same?.embedder === embedder) {
      numbers.set(version, same.facts.version);
      continue;
    }
    const mapped = parent === undefined ? undefined : numbers.get(parent);
    // A version that is in use already stays in use.
    const activated = inUse === 0 && version === active;
    const imported = { ...rest, activated, ...(mapped !== undefined && { parent: mapped }) };
    numbers.set(version, nextVersion + added.length);
    added.push({ facts: imported, embedder, head });
  }
  return added;
}

/** The vectors of one embedder have one size: a file that says otherwise was not written by this library. */
function checkSizes(all: { embedder: string; vector: { length: number } }[]): void {
  const sizes = new Map<string, number>();
  for (const { embedder, vector } of all) {
    const size = sizes.get(embedder) ?? vector.length;
    sizes.set(embedder, size);
    if (size === vector.length) continue;
    const message = `The file cannot be imported: for one model it has embeddings of ${size} and of ${vector.length} numbers. Export it again, and pass the file unchanged.`;
    throw new InsituError("input_invalid", message, { sizes: [size, vector.length] });
  }
}
