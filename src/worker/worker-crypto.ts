// The file that holds SHA-256 and Ed25519 in code. The worker imports it where the browser does not offer them.
import { hashes, verify as verifyInCode } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";

export { sha256 } from "@noble/hashes/sha2.js";
export { VERSION } from "./lib/version.js";

/** Whether the signature of 64 bytes is right, as WebCrypto decides it and not ZIP 215. */
export function verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  // The library's own SHA-512 needs `crypto.subtle`.
  hashes.sha512 = sha512;
  try {
    return verifyInCode(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}
