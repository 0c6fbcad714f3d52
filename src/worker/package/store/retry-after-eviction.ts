// Tries writes again that found no room in a full origin, once something went that made some.
import { isInsituError } from "../../../shared/errors.js";

/** Removes packages that have at least `bytes` and are not those of `url`; false when there is none that may go. */
export type Free = (url: string, bytes: number) => Promise<boolean>;

/** Runs `write`, which needs `bytes` for the package at `url`, and again each time that room was made. */
export type RetryAfterEviction = <T>(url: string, bytes: number, write: () => Promise<T>) => Promise<T>;

export function createEvictionRetry(free: Free): RetryAfterEviction {
  let timesMade = 0;
  let last: Promise<unknown> = Promise.resolve();

  return async (url, bytes, write) => {
    for (;;) {
      const before = timesMade;
      try {
        return await write();
      } catch (error) {
        // The library's own budget is not the browser's: what may go for it is gone already.
        if (!isInsituError(error) || error.code !== "storage_quota" || error.data.maxBytes !== undefined) throw error;
        // Chunks come several at once: what goes for the first may do for those that failed with it.
        const making = last.then(async () => {
          if (timesMade === before && (await free(url, bytes))) timesMade += 1;
        });
        last = making.catch(() => undefined);
        await making;
        if (timesMade === before) throw error;
      }
    }
  };
}
