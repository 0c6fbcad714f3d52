// The error of an option that does not fit, in the same words everywhere.
import { InsituError } from "./errors.js";

/** `data` has the option's name and its value. `expected` completes "pass …". */
export function invalidOption(option: string, value: unknown, expected: string): InsituError {
  return new InsituError("input_invalid", `${option} is ${String(value)}; pass ${expected}.`, { option, value });
}
