// Whether the manifest that lies in a registry is the one that was added.
import { isDeepStrictEqual } from "node:util";
import { isObject } from "../../shared/json-fields.js";
import { MAX_MANIFEST_BYTES } from "../../worker/package/manifest.js";
import type { ObjectStore } from "../store/object-store.js";
import { manifestHash, readAddition } from "./additions.js";
import { refuse, versionFolder } from "./layout.js";

/** Throws `input_invalid` where another manifest than `bytes` lies there. Returns false when there is none. */
export async function checkSameManifest(registry: ObjectStore, key: string, bytes: Buffer): Promise<boolean> {
  const found = await registry.read(key, MAX_MANIFEST_BYTES);
  if (!found) return false;
  if (found.bytes.equals(bytes)) return true;
  const what = difference(found.bytes.toString("utf8"), bytes.toString("utf8"));
  return refuse(
    `The registry holds another insitu.json: ${what}. Remove ${registry.where(key)}, and add the package again.`,
  );
}

function difference(there: string, added: string): string {
  const [one, other] = [parsed(there), parsed(added)];
  if (!one || !other) return "it is not JSON";
  const fields = [...new Set([...Object.keys(other), ...Object.keys(one)])];
  const different = fields.filter((field) => !isDeepStrictEqual(one[field], other[field]));
  if (different.length === 0) return "only its spaces or the order of its fields differ, which are part of the bytes";
  return `its fields ${different.join(", ")} differ`;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `input_invalid` where the manifest of a version is not the one whose addition is recorded. */
export async function checkRecorded(registry: ObjectStore, model: string, version: string): Promise<void> {
  const key = `${versionFolder(model, version)}insitu.json`;
  const [found, record] = [await registry.read(key, MAX_MANIFEST_BYTES), await readAddition(registry, model, version)];
  // Without a record somebody has copied the package there, and nothing says what it was.
  if (!found || !record) return;
  if (manifestHash(found.bytes.toString("utf8").replace(/^\uFEFF/, "")) === record.manifest) return;
  refuse(
    `The insitu.json of ${model} ${version} is not the one that was added by ${record.by} on ${record.at}. Remove ${registry.where(key)}, and add the package again.`,
    { model, version },
  );
}
