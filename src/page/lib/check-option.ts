// Checks of single options that several parts share; each throws `input_invalid` that names the option.
import { asInsituError, type InsituError } from "../../shared/errors.js";
import { invalidOption } from "../../shared/invalid-option.js";

/** `null` and `undefined` are no value. */
export function checkType(option: string, value: unknown, type: "function" | "object" | "string" | "boolean"): void {
  if ((value ?? undefined) === undefined || type === typeof value) return;
  throw invalidOption(option, value, type === "object" ? "an object" : `a ${type}`);
}

export function checkOneOf(option: string, value: unknown, allowed: unknown[]): void {
  if (allowed.includes(value)) return;
  throw invalidOption(option, value, allowed.filter(Boolean).join(" or "));
}

/** `undefined` is no value. */
export function checkNumber(option: string, value: unknown, isOver0?: boolean): void {
  if (value === undefined || (typeof value === "number" && (isOver0 ? value > 0 : value >= 0))) return;
  throw invalidOption(option, value, isOver0 ? "a number over 0" : "a number, 0 or more");
}

/** The error of what failed when options were read: a getter of the page may throw anything. */
export const unreadable = (error: unknown): InsituError =>
  asInsituError(error, "input_invalid", "The options could not be read");

/** A copy of the options, whose getters have been called; `null` and `undefined` are none. */
export function readOptions<T extends object>(options: T | null | undefined): Partial<T> {
  try {
    return { ...options };
  } catch (error) {
    throw unreadable(error);
  }
}
