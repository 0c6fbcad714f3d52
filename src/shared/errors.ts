// The one error class of insitu, the closed list of its codes, and its form on the wire between threads.

/** Every code an {@link InsituError} can carry. The list is closed: telemetry and callers may switch over it. */
export const ERROR_CODES = [
  "timeout",
  "aborted",
  "disposed",
  "disabled",
  "consent_denied",
  "overloaded",
  "device_lost",
  "out_of_memory",
  "backend_unavailable",
  "worker_crashed",
  "model_integrity",
  "model_signature",
  "model_expired",
  "model_rollback",
  "model_format",
  "model_too_large",
  "input_invalid",
  "output_invalid",
  "network",
  "http_4xx",
  "http_5xx",
  "storage_quota",
  "storage_unavailable",
  "storage_corrupt",
  "csp_blocked",
  "insecure_context",
  "unknown",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Plain facts to act on: the URL that failed, the bytes that were expected, the backends that were refused. */
export type ErrorData = Record<string, unknown>;

/**
 * Every failure of the library. `code` is stable and names the kind of failure, `data` holds the facts to act on, `cause` the
 * underlying error. An error that was thrown in the worker arrives in the page with all of them.
 *
 * `name` is `"InsituError"`, except for code `aborted`: there it is `"AbortError"` and `cause` is the signal's reason, so that
 * code written for `fetch` works unchanged.
 */
export class InsituError extends Error {
  override readonly name: "InsituError" | "AbortError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly data: ErrorData = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = code === "aborted" ? "AbortError" : "InsituError";
  }
}

/** True for an {@link InsituError} of any copy of the library, where `instanceof` fails. A DOMException `AbortError` is none. */
export function isInsituError(error: unknown): error is InsituError {
  return error instanceof Error && "code" in error && (error.name === "InsituError" || error.code === "aborted");
}

/** Returns `error` itself when it is ours, else wraps it under `code` with the original as `cause`. */
export function asInsituError(error: unknown, code: ErrorCode, what: string, data: ErrorData = {}): InsituError {
  if (isInsituError(error)) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new InsituError(code, `${what}: ${detail}`, data, { cause: error });
}

/** An error as plain data, as structured clone can carry it. */
export interface WireError {
  name: string;
  message: string;
  stack?: string;
  code?: ErrorCode;
  data?: ErrorData;
  cause?: WireError;
}

// A cause chain longer than this is a loop or noise, and would only cost bytes.
const MAX_CAUSES = 8;

export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const wire: WireError = { name: error.name, message: error.message, stack: error.stack };
  if (isInsituError(error)) {
    wire.code = error.code;
    wire.data = plain(error.data);
  }
  if (error.cause !== undefined && depth < MAX_CAUSES) wire.cause = toWire(error.cause, depth + 1);
  return wire;
}

export function fromWire(wire: WireError): Error {
  const options = wire.cause ? { cause: fromWire(wire.cause) } : undefined;
  if (wire.code) {
    const error = new InsituError(wire.code, wire.message, wire.data, options);
    if (wire.stack) error.stack = wire.stack;
    return error;
  }
  const error = new Error(wire.message, options);
  error.name = wire.name;
  if (wire.stack) error.stack = wire.stack;
  return error;
}

/** Data that structured clone refuses (a function, say) must not turn one error into another. */
function plain(data: ErrorData): ErrorData {
  try {
    return structuredClone(data);
  } catch {
    return JSON.parse(JSON.stringify(data)) as ErrorData;
  }
}
