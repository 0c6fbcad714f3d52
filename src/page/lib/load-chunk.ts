// Loads a part of the library that is a file of its own.
import { asInsituError } from "../../shared/errors.js";
import { withTimeout } from "./with-timeout.js";

/**
 * Resolves as `chunk`, or rejects with `network` when the file cannot be fetched. Rejects with `timeout` after 30 seconds: webpack's
 * `import()` of a file that was blocked by Trusted Types never settles when it is called again.
 */
export const loadChunk = <T>(chunk: Promise<T>): Promise<T> =>
  withTimeout({ timeout: 30_000, what: "A part of insitu" }, () =>
    chunk.catch((error: unknown) => {
      throw asInsituError(error, "network", "A part of insitu could not be fetched");
    }),
  );
