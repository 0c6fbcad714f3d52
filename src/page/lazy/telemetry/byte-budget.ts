// Limits how many bytes a page sends in an hour: a loop that records without end must not use up a visitor's data plan.

export interface ByteBudget {
  hasBytes(): boolean;
  /** May go below zero: what is already packed is sent. */
  spend(bytes: number): void;
}

const HOUR_MS = 3600 * 1000;
const BYTES_PER_HOUR = 1024 * 1024;

/** A token bucket of one hour's bytes, refilled continuously. */
export function createByteBudget(): ByteBudget {
  let left = BYTES_PER_HOUR;
  let refilledAt = performance.now();
  return {
    hasBytes() {
      const now = performance.now();
      left = Math.min(BYTES_PER_HOUR, left + ((now - refilledAt) / HOUR_MS) * BYTES_PER_HOUR);
      refilledAt = now;
      return left > 0;
    },
    spend(bytes) {
      left -= bytes;
    },
  };
}
