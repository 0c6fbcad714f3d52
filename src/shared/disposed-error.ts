// The error of calls on a model that was disposed, in the same words everywhere.
import { InsituError } from "./errors.js";

export const disposedError = (model: string): InsituError =>
  new InsituError("disposed", `${model} was disposed; load it again.`);
