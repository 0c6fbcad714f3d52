// Reads from a request who sends it, and refuses those who have no access.
import type { FastifyRequest } from "fastify";
import { HttpError } from "./errors.js";
import { senderOf } from "./proxies.js";
import type { RateLimit } from "./rate-limit.js";
import type { Caller, Denial } from "./tokens.js";

export function callerOf(request: FastifyRequest): Caller {
  // Not `request.host`, which reads `X-Forwarded-Host`: a page can send that one.
  const { authorization, origin, host } = request.headers;
  const { key } = request.query as Record<string, unknown>;
  return { authorization, origin, host, insituKey: single(request.headers["x-insitu-key"]), key: single(key) };
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

/** A hook `onRequest` that rejects with `HttpError` 429. It comes before `guard`: who tries keys is limited as well. */
export function limitByAddress(limit: RateLimit, onLimited: () => void) {
  return async (request: FastifyRequest): Promise<void> => {
    if (request.method !== "OPTIONS") refuseFor(limit.take(senderOf(request.ip)), onLimited);
  };
}

/** Rejects with `HttpError` 429 unless `retryMs` is 0. */
export function refuseFor(retryMs: number, onLimited: () => void): void {
  if (retryMs === 0) return;
  onLimited();
  throw new HttpError(429, "Too many requests; try again later.", { retryMs });
}
