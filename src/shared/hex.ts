// Bytes as lower-case hexadecimal, and random identifiers made of them.

/** Two lower-case hexadecimal digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Cryptographically strong random bytes in hexadecimal.
 * @param bytes - Number of bytes; the string has two digits for each. Default 16, which is 128 bits.
 */
export function randomHex(bytes = 16): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
