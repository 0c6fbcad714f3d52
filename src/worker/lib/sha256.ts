// SHA-256 in the worker: by the browser's own code, in pages that are not secure contexts in code.
import { toHex } from "../../shared/hex.js";
import { sha256 as native } from "../../shared/sha256.js";
import { cryptoFile } from "./crypto-file.js";

/**
 * The hash of `bytes` as 64 lower-case hexadecimal digits. Pages on plain http have no `crypto.subtle`; there the hash blocks the
 * worker for about a tenth of a second per 10 MB.
 */
export async function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string> {
  if (globalThis.crypto?.subtle) return native(bytes);
  const { sha256: hash } = await cryptoFile();
  return toHex(hash(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)));
}
