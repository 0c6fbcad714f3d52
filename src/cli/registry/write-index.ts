// Keeps what is derived in a registry up to date: the channel files behind their records, index.json and index.html.
import { isInsituError } from "../../shared/errors.js";
import { isObject } from "../../shared/json-fields.js";
import type { ObjectStore } from "../store/object-store.js";
import { readFile, readRecords, writeNewest } from "../store/records.js";
import { type Catalogue, readCatalogue } from "./catalogue.js";
import { indexText } from "./index-json.js";
import { pageText } from "./index-page.js";
import { INDEX, PAGE } from "./layout.js";

// 10,000 versions with their history.
const MAX_INDEX_BYTES = 64 * 2 ** 20;
/** Each time another publisher changed something meanwhile. */
const MAX_ROUNDS = 100;

/**
 * Writes the index and the page where they differ from what the registry holds, and looks again: whoever writes last has seen all that was
 * there before. So no publisher's change is missing in the end, also when several write at once or one is killed in between.
 */
export async function writeIndex(registry: ObjectStore): Promise<Catalogue> {
  for (let round = 1; ; round++) {
    const catalogue = await readCatalogue(registry);
    const isIndexWritten = await writeWhereDifferent(registry, INDEX, indexText(catalogue));
    const isPageWritten = await writeWhereDifferent(registry, PAGE, pageText(catalogue));
    if ((!isIndexWritten && !isPageWritten) || round === MAX_ROUNDS) return catalogue;
  }
}

async function writeWhereDifferent(registry: ObjectStore, key: string, text: string): Promise<boolean> {
  const bytes = Buffer.from(text);
  const before = await registry.read(key, MAX_INDEX_BYTES).catch((error: unknown) => {
    if (isInsituError(error) && error.code === "model_too_large") return "too large" as const;
    throw error;
  });
  if (before === "too large") {
    // No index of ours, and nothing is only there.
    await registry.remove(key);
    return true;
  }
  if (before?.bytes.equals(bytes)) return false;
  await registry.replace(key, bytes, before?.etag);
  return true;
}

/** Completes what a publisher that was killed has begun: channel files that are behind their records, and files half written. */
export async function repair(registry: ObjectStore): Promise<void> {
  await registry.sweep("", "below");
  for (const model of await registry.folders("")) {
    for (const name of await registry.folders(`${model}/history/`)) await repairFile(registry, `${model}/${name}.json`);
  }
}

async function repairFile(registry: ObjectStore, key: string): Promise<void> {
  const newest = (await readRecords(registry, key, "newest")).records.at(-1);
  if (newest && (await readFile(registry, key)).release < newest.release) await writeNewest(registry, key);
}

/** Whether a store is a registry: its index says so. */
export async function isRegistry(store: ObjectStore): Promise<boolean> {
  try {
    const found = await store.read(INDEX, MAX_INDEX_BYTES);
    const value: unknown = found && JSON.parse(found.bytes.toString("utf8"));
    return isObject(value) && value.insituRegistry === 1;
  } catch {
    return false;
  }
}
