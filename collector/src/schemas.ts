// The JSON schemas of the routes' query parameters, and the error message of a parameter that does not fit.
import { HttpError } from "./errors.js";

/** The last point in time that a `Date` can hold, epoch milliseconds. */
const MAX_TIME = 8.64e15;
export const MIN_STEP_MS = 1_000;

const time = {
  type: "integer",
  minimum: 0,
  maximum: MAX_TIME,
  description: `an integer from 0 to ${MAX_TIME}: epoch milliseconds`,
} as const;
const filter = { type: "string", description: "a string, given once" } as const;

/** `GET /v1/report`. An empty filter counts as none. */
export const REPORT_QUERY = {
  type: "object",
  properties: {
    from: time,
    to: time,
    step: {
      type: "integer",
      minimum: MIN_STEP_MS,
      maximum: MAX_TIME,
      description: `an integer from ${MIN_STEP_MS}: milliseconds`,
    },
    model: filter,
    version: filter,
    backend: filter,
  },
} as const;

export interface ReportParameters {
  from?: number;
  to?: number;
  step?: number;
  model?: string;
  version?: string;
  backend?: string;
}

/** `GET /v1/drift`. */
export const DRIFT_QUERY = {
  type: "object",
  required: ["model"],
  properties: {
    model: { type: "string", minLength: 1, maxLength: 128, description: "the name of a model, given once" },
  },
} as const;

/** The routes that write. */
export const BATCH_QUERY = {
  type: "object",
  properties: {
    batch: {
      type: "string",
      pattern: "^[0-9a-f]{32}$",
      description: "32 hex digits in lower case: the random id of the request",
    },
  },
} as const;

export interface BatchParameters {
  batch?: string;
}

/** Ajv's error, with what the option `verbose` adds. */
interface ValidationError {
  instancePath: string;
  message?: string;
  params?: { missingProperty?: string };
  parentSchema?: { description?: string };
}

/** Fastify's `schemaErrorFormatter`: names the parameter, and says what it must be in the words of the schema. */
export function parameterError(errors: ValidationError[]): HttpError {
  const [error] = errors;
  const missing = error?.params?.missingProperty;
  if (missing !== undefined) return new HttpError(400, `The query parameter "${missing}" is missing.`);
  const name = error?.instancePath.slice(1).split("/")[0] ?? "";
  const expected = error?.parentSchema?.description;
  return new HttpError(400, `The query parameter "${name}" ${expected ? `must be ${expected}` : error?.message}.`);
}

/** Ajv's options for these schemas: `verbose` adds the schema to each error, for its description. */
export const AJV_OPTIONS = { verbose: true } as const;
