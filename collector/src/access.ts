// Who may write, who may read, and what a browser on another origin is told about it.
import { timingSafeEqual } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";

export interface AccessOptions {
  /** Public key that pages send; without it everybody may write. */
  writeKey?: string;
  /** Secret of who may read `/metrics`; without it everybody may. */
  readToken?: string;
  /** Origins whose pages may write; without any, pages of all origins. */
  allowOrigins?: string[];
}

/** Without Authorization, so that sendBeacon, which can send no header at all, has the query as its way. */
export function mayWrite(request: FastifyRequest, { writeKey, allowOrigins = [] }: AccessOptions): string | undefined {
  const { origin } = request.headers;
  if (origin && allowOrigins.length > 0 && !allowOrigins.includes(origin)) return `pages of ${origin} may not write here (--allow-origin)`;
  if (!writeKey) return undefined;
  const { key } = request.query as { key?: string };
  const given = request.headers["x-insitu-key"] ?? bearer(request) ?? key;
  return typeof given === "string" && same(given, writeKey) ? undefined : "the write key is missing or wrong (X-Insitu-Key, or ?key=)";
}

export function mayRead(request: FastifyRequest, { readToken }: AccessOptions): string | undefined {
  if (!readToken) return undefined;
  const given = bearer(request);
  return given && same(given, readToken) ? undefined : "the read token is missing or wrong (Authorization: Bearer …)";
}

/**
 * The exact origin and credentials, never `*`: sendBeacon always sends credentials, and a browser refuses the pair of
 * credentials and `*` (opentelemetry-js#3062). No cookie is read here, so credentials give nobody anything.
 */
export function allowOrigin(request: FastifyRequest, reply: FastifyReply, { allowOrigins = [] }: AccessOptions): void {
  const { origin } = request.headers;
  void reply.header("vary", "Origin");
  if (!origin || (allowOrigins.length > 0 && !allowOrigins.includes(origin))) return;
  void reply.headers({
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": "content-type, content-encoding, x-insitu-key, authorization",
    // Two hours is the most that Chromium keeps a preflight.
    "access-control-max-age": "7200",
  });
}

function bearer(request: FastifyRequest): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
