// Checks the name of a model in an address.
import { HttpError } from "../errors.js";

/** The rule of package manifests. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Throws `HttpError` 400. */
export function modelOf(text: string): string {
  if (NAME.test(text)) return text;
  throw new HttpError(400, "The model's name must be 1 to 128 letters, digits, dots, dashes or underscores.");
}
