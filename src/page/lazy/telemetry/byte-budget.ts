// Limits how many bytes a page sends in an hour: a loop that records without end must not use up a visitor's data plan.

const HOUR_MS = 3600 * 1000;
const BYTES_PER_HOUR = 1024 * 1024;

/** Spends bytes; returns whether any are left. What is left may go below zero: a batch that is already packed is sent. */
export type ByteBudget = (bytes: number) => boolean;

/** A token bucket of one hour's bytes, refilled continuously. */
export function createByteBudget(): ByteBudget {
  let left = BYTES_PER_HOUR;
  let refilledAt = performance.now();
  return (bytes) => {
    const now = performance.now();
    left = Math.min(BYTES_PER_HOUR, left + ((now - refilledAt) / HOUR_MS) * BYTES_PER_HOUR) - bytes;
    refilledAt = now;
    return left > 0;
  };
}
