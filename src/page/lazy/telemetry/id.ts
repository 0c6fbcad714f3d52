// Random names, and the choice of predictions by theirs.

/** 128 random bits in hex. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The same answer for the same id, true for `share` of all: the first 32 of its bits are a random number. */
export function isSampled(id: string, share: number): boolean {
  return Number.parseInt(id.slice(0, 8), 16) / 2 ** 32 < share;
}
