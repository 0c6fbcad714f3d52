// Exports a personal model to a file, and adds the content of such a file to what is stored.
import { InsituError } from "../../shared/errors.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { ImportResult } from "../../shared/types/personal.js";
import type { ExampleStore } from "./example-store.js";
import { fromFile, toFile } from "./export-format.js";
import type { ExportedExample, ExportedVersion } from "./export-schema.js";
import type { ModelRecord } from "./model-record.js";
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

/** Rejects with `input_invalid` for a file that cannot be imported; nothing is changed then. */
export async function importModel(
  stores: PersonalStores,
  { ref, embedder: loaded }: { ref: ModelRef; embedder: string },
  file: Blob,
): Promise<ImportResult> {
  const { model, examples, versions, active } = await fromFile(new Uint8Array(await file.arrayBuffer()));
  if (model !== ref.name) {
    const message = `The file cannot be imported: it belongs to the base model ${model}, but ${ref.name} is loaded.`;
    throw new InsituError("input_invalid", message, { model, loaded: ref.name });
  }
  const stored = (await stores.examples.list()).examples;
  const heads = versions.map(({ head, embedder }) => ({ embedder, vector: { length: head.size } }));
  checkSizes([...stored, ...examples, ...heads]);
  const added = await stores.examples.add(
    examples.map(({ input, ...example }) => ({
      ...example,
      ...(input && { input: { facts: input.kept, parts: input.parts } }),
    })),
  );
  const newVersions = await importVersions(stores, versions, active);
  const isUsable = ({ embedder, input }: ExportedExample) => embedder === loaded || input !== undefined;
  return {
    examples: added,
    versions: newVersions,
    known: examples.length - added,
    unusable: examples.filter((example) => !isUsable(example)).length,
  };
}

/** Numbers them after the stored versions. Returns how many were new. */
async function importVersions(stores: PersonalStores, versions: ExportedVersion[], active: number): Promise<number> {
  const [state, stored] = await Promise.all([stores.record.state(), stores.versions.list()]);
  const numbers = new Map<number, number>();
  let added = 0;
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
    const activated = (state?.active ?? 0) === 0 && version === active;
    const imported = { ...rest, activated, ...(mapped !== undefined && { parent: mapped }) };
    numbers.set(version, await stores.versions.commit({ facts: imported, embedder, head }, new Map()));
    added += 1;
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
