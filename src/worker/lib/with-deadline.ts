// A promise that does not wait for ever, for calls that browsers are known to leave unanswered.
import { InsituError } from "../../shared/errors.js";

/** Rejects with `storage_unavailable` after `ms`. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `IndexedDB did not ${what} within ${ms / 1000} s.`;
      reject(new InsituError("storage_unavailable", message, { what, ms, final: true }));
    }, ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
