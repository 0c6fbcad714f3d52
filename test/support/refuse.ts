// The library's error, thrown: what a room that is handed its way to fail is given in tests and benchmarks.
import { InsituError } from "../../src/errors.js";
import type { Refuse } from "../../src/ranking/refuse.js";

export const refuse: Refuse = (code, message, data, cause) => {
  throw new InsituError(code, message, data, { cause });
};
