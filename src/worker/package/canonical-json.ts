// The canonical bytes of a manifest: what its digest hashes, and what its signatures sign.
import { InsituError } from "../../shared/errors.js";
import { isObject } from "../../shared/json-fields.js";
import { sha256 } from "../lib/sha256.js";

// Real manifests nest 6 deep; without a limit a hostile one would overflow the stack.
const MAX_DEPTH = 64;

/**
 * JSON with sorted keys and no spaces: two values that are equal have the same text, and so the same hash. Throws
 * `model_format` for more than 64 levels.
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH)
    throw new InsituError("model_format", `The manifest nests more than ${MAX_DEPTH} levels deep.`);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null, depth + 1)).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  // By code unit, as `<` compares: no locale may change a hash.
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`).join(",")}}`;
}

/** UTF-8 of the manifest's canonical JSON without its signatures; fields that this version does not know count too. */
export function canonicalBytes(text: string): Uint8Array<ArrayBuffer> {
  const { signatures: _, ...signed } = JSON.parse(text) as Record<string, unknown>;
  return new TextEncoder().encode(canonicalJson(signed));
}

/** Lower-hex SHA-256 of the canonical bytes: names the package, since the manifest names all its bytes. */
export function digestOf(text: string): Promise<string> {
  return sha256(canonicalBytes(text));
}
