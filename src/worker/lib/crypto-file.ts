// Cryptography in code, for browsers and pages that have none.
import { lateCode } from "./late-code.js";

export interface CryptoFile {
  sha256(bytes: Uint8Array): Uint8Array;
  /** Whether the signature of 64 bytes is right, as WebCrypto decides it. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

export const cryptoFile = lateCode<CryptoFile>();
