// Bytes as lower-case hexadecimal, and random identifiers made of them.

/** Two lower-case hexadecimal digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Random bytes that were not used yet: to ask for 16 takes the browser as long as to ask for 1,024. */
const fresh = new Uint8Array(1_024);
let used = fresh.length;

/**
 * Cryptographically strong random bytes in hexadecimal.
 * @param bytes - Number of bytes, up to 1,024; the string has two digits for each. Default 16, which is 128 bits.
 */
export function randomHex(bytes = 16): string {
  if (used + bytes > fresh.length) {
    crypto.getRandomValues(fresh);
    used = 0;
  }
  used += bytes;
  return toHex(fresh.subarray(used - bytes, used));
}
