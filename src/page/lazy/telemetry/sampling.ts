// Chooses the predictions that become events, by their id.

/** The same result for the same id, true for `share` of all ids: their first 32 bits are a random number. */
export function isSampled(id: string, share: number): boolean {
  return Number.parseInt(id.slice(0, 8), 16) / 2 ** 32 < share;
}
