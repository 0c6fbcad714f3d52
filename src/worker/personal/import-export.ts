// Takes a personal model out into a file, and a file's content in, beside what is there already.
import { InsituError } from "../../shared/errors.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { ImportResult } from "../../shared/types/personal.js";
import type { ExampleStore } from "./example-store.js";
import { fromFile, toFile } from "./export-format.js";
import type { ExportedExample, ExportedVersion } from "./export-schema.js";

/** `kept`: with the inputs that were kept. */
export async function exportModel(book: ExampleStore, { name }: ModelRef, kept: boolean): Promise<Blob> {
  const [state, { examples }, versions] = await Promise.all([book.state(), book.examples(), book.versions()]);
  const all: ExportedExample[] = [];
  for (const { id, label, time, heldOut, embedder, vector, kept: hasInput } of examples) {
    const input = kept && hasInput ? await book.input(id) : undefined;
    const role = heldOut === undefined ? {} : { heldOut };
    all.push({ id, label, time, ...role, embedder, vector, ...(input && { input }) });
  }
  const file = { model: name, examples: all, versions, active: state?.active ?? 0 };
  return new Blob([await toFile(file)], { type: "application/octet-stream" });
}

/** Rejects with `input_invalid` for a file that cannot be, and changes nothing then. */
export async function importModel(
  book: ExampleStore,
  { ref, embedder: mine }: { ref: ModelRef; embedder: string },
  file: Blob,
): Promise<ImportResult> {
  const { model, examples, versions, active } = await fromFile(new Uint8Array(await file.arrayBuffer()));
  if (model !== ref.name) {
    const message = `The file cannot be imported: it was taught on the model ${model}, this is ${ref.name}.`;
    throw new InsituError("input_invalid", message, { model, running: ref.name });
  }
  const known = (await book.examples()).examples;
  const heads = versions.map(({ head, embedder }) => ({ embedder, vector: { length: head.size } }));
  checkSizes([...known, ...examples, ...heads]);
  const added = await book.add(
    examples.map(({ input, ...example }) => ({
      ...example,
      ...(input && { input: { facts: input.kept, parts: input.parts } }),
    })),
  );
  const newVersions = await importVersions(book, versions, active);
  const isUsable = ({ embedder, input }: ExportedExample) => embedder === mine || input !== undefined;
  return {
    examples: added,
    versions: newVersions,
    known: examples.length - added,
    unusable: examples.filter((example) => !isUsable(example)).length,
  };
}

/** Under numbers of their own, behind those that are here; answers how many were new. */
async function importVersions(book: ExampleStore, versions: ExportedVersion[], active: number): Promise<number> {
  const [before, here] = await Promise.all([book.state(), book.versions()]);
  const numbers = new Map<number, number>();
  let added = 0;
  for (const { facts, embedder, head } of versions) {
    const { version, parent, ...rest } = facts;
    // To the microsecond: no two trainings take the same time at the same time.
    const same = here.find(
      (one) => one.facts.trainedAt === facts.trainedAt && one.facts.durationMs === facts.durationMs,
    );
    if (same?.embedder === embedder) {
      numbers.set(version, same.facts.version);
      continue;
    }
    const mapped = parent === undefined ? undefined : numbers.get(parent);
    // What is in use here stays in use.
    const activated = (before?.active ?? 0) === 0 && version === active;
    const own = { ...rest, activated, ...(mapped !== undefined && { parent: mapped }) };
    numbers.set(version, await book.commit({ facts: own, embedder, head }, new Map()));
    added += 1;
  }
  return added;
}

/** An embedder's vectors are all of one size: a file that says otherwise was not made by it. */
function checkSizes(all: { embedder: string; vector: { length: number } }[]): void {
  const sizes = new Map<string, number>();
  for (const { embedder, vector } of all) {
    const size = sizes.get(embedder) ?? vector.length;
    sizes.set(embedder, size);
    if (size === vector.length) continue;
    const message = `The file cannot be imported: it has embeddings of ${size} and of ${vector.length} numbers for one model. Export it again, and pass the file as it is.`;
    throw new InsituError("input_invalid", message, { sizes: [size, vector.length] });
  }
}
