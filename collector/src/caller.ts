// Reads from a request who sends it, and refuses those who have no access.
import type { FastifyRequest } from "fastify";
import type { Caller, Denial } from "./access.js";
import { HttpError } from "./errors.js";

export function callerOf(request: FastifyRequest): Caller {
  const { authorization, origin } = request.headers;
  const { key } = request.query as Record<string, unknown>;
  return { authorization, origin, insituKey: single(request.headers["x-insitu-key"]), key: single(key) };
}

/** A header or parameter that is given twice counts as missing. */
function single(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A hook `onRequest` that rejects with `HttpError` 401 or 403. */
export function guard(decide: (caller: Caller) => Denial | null) {
  return async (request: FastifyRequest): Promise<void> => {
    // A preflight cannot carry a key.
    if (request.method === "OPTIONS") return;
    const denial = decide(callerOf(request));
    if (denial) throw new HttpError(denial.status, denial.message);
  };
}
