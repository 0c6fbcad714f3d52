// Loads a part of the library that is a file of its own.
import { asInsituError } from "../../shared/errors.js";

/** Resolves as `chunk`, or rejects with `network` when the file cannot be fetched. */
export const loadChunk = <T>(chunk: Promise<T>): Promise<T> =>
  chunk.catch((error: unknown) => {
    throw asInsituError(error, "network", "A part of insitu could not be fetched");
  });
