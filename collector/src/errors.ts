// Errors that become HTTP responses, and the one place that writes them.
import type { FastifyError, FastifyReply } from "fastify";
import { MAX_BODY_BYTES } from "./limits.js";

/** A request that is answered with `statusCode` and this message. */
export class HttpError extends Error {
  override name = "HttpError";
  /** Milliseconds after which the sender may try again. */
  readonly retryMs?: number;
  constructor(
    readonly statusCode: number,
    message: string,
    { retryMs, ...options }: ErrorOptions & { retryMs?: number } = {},
  ) {
    super(message, options);
    this.retryMs = retryMs;
  }
}

// A database that failed is usually back after a moment.
const RETRY_MS = 5_000;

/** Throws `HttpError` 503: nothing was stored. An `HttpError` is thrown again. */
export function unavailable(cause: unknown): never {
  if (cause instanceof HttpError) throw cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  console.error(`The database failed: ${reason}`);
  const message = `The database does not respond; try again in ${RETRY_MS / 1000} s.`;
  throw new HttpError(503, message, { retryMs: RETRY_MS, cause });
}

// google.rpc.Code, which OTLP puts into the body of an error.
const RPC_CODES: Readonly<Record<number, number>> = {
  401: 16,
  403: 7,
  404: 5,
  409: 10,
  412: 9,
  413: 8,
  428: 9,
  429: 8,
  503: 14,
};
const INVALID_ARGUMENT = 3;
const INTERNAL = 13;

export function sendError(reply: FastifyReply, error: FastifyError | HttpError): FastifyReply {
  const status = error.statusCode ?? 500;
  const isOurs = error instanceof HttpError;
  if (status >= 500 && !isOurs) console.error(error);
  if (isOurs && error.retryMs !== undefined)
    reply.header("retry-after", String(Math.max(1, Math.ceil(error.retryMs / 1000))));
  const limit = reply.request.routeOptions.bodyLimit ?? MAX_BODY_BYTES;
  const message = status >= 500 && !isOurs ? "The collector failed; see its log." : messageOf(error, limit);
  const code = RPC_CODES[status] ?? (status < 500 ? INVALID_ARGUMENT : INTERNAL);
  return reply.code(status).send({ code, message });
}

function messageOf(error: FastifyError | HttpError, limit: number): string {
  const { code } = error as FastifyError;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return `The body is larger than ${limit} bytes; ${limit === MAX_BODY_BYTES ? "send smaller batches" : "that is the maximum"}.`;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return "Send OTLP as JSON, with content-type application/json.";
  return error.message;
}
