// The library's error, thrown: what a room that is handed its way to fail is given in tests and benchmarks.

import type { Refuse } from "../../src/page/lazy/ranking/refuse.js";
import { InsituError } from "../../src/shared/errors.js";

export const refuse: Refuse = (code, message, data, cause) => {
  throw new InsituError(code, message, data, { cause });
};
