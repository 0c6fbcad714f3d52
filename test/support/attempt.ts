// Runs a parser on hostile text: a value or a typed error; anything else fails the test.
import { afterEach, expect } from "vitest";
import { InsituError } from "../../src/shared/errors.js";

/** Milliseconds. A document of 1 MiB is read in milliseconds; what takes this long on any machine does not end. */
export const BOUNDED = 60_000;

/** What `read` gives, or undefined where it refuses; anything but an InsituError of the allowed codes gets through. */
export function attempt<T>(read: () => T, codes = ["model_format", "model_too_large"]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InsituError) || !codes.includes(error.code)) throw error;
    // A message quotes what it refuses, but not all of it.
    expect(error.message.length).toBeLessThan(2_000);
    return undefined;
  }
}

/** Fails each test after which the prototypes of objects or lists have another property. */
export function guardPrototypes(): void {
  const names = () => [Object.prototype, Array.prototype].map((prototype) => Object.getOwnPropertyNames(prototype));
  const before = names();
  afterEach(() => {
    expect(names()).toEqual(before);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
}
