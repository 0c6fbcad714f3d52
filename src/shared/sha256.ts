// SHA-256 of bytes, by the browser's own code.
import { toHex } from "./hex.js";

/** The hash as 64 lower-case hexadecimal digits. Only secure contexts have `crypto.subtle`; elsewhere it rejects with a TypeError. */
export async function sha256(bytes: BufferSource): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
