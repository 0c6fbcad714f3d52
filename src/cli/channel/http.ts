// Requests of the command line: with a deadline, a limit on the answer, no redirects, and typed errors.
import { InsituError } from "../../shared/errors.js";

export interface HttpAnswer {
  status: number;
  headers: Headers;
  text: string;
}

export interface HttpRequest {
  method?: "GET" | "PUT";
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
  /** Bytes of the answer. */
  maxBytes?: number;
}

const TIMEOUT = 30_000;
const MAX_BYTES = 4 * 2 ** 20;

/** Throws `network` when there is no answer in time, `model_too_large` for too much of it, `aborted` with the signal. */
export async function request(url: string, given: HttpRequest = {}): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body, signal, maxBytes = MAX_BYTES } = given;
  const deadline = AbortSignal.timeout(TIMEOUT);
  const options: RequestInit = {
    method,
    headers,
    // A redirect would carry the token to another host.
    redirect: "manual",
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    ...(body !== undefined && { body }),
  };
  try {
    const response = await fetch(url, options);
    return { status: response.status, headers: response.headers, text: await limitedText(response, url, maxBytes) };
  } catch (cause) {
    if (cause instanceof InsituError) throw cause;
    if (signal?.aborted) throw new InsituError("aborted", `${url}: cancelled.`, { url }, { cause });
    const why = deadline.aborted ? `no answer within ${TIMEOUT / 1_000} s` : reasonOf(cause);
    const message = `${url}: ${why}. Check the address and the network.`;
    throw new InsituError("network", message, { url }, { cause });
  }
}

/** fetch itself says only "fetch failed". */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || (inner as NodeJS.ErrnoException).code || inner.name : String(inner);
}

async function limitedText(response: Response, url: string, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > maxBytes) {
      const message = `${url} sent more than ${maxBytes} bytes. Check that the address is a collector's.`;
      throw new InsituError("model_too_large", message, { url, max: maxBytes });
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The error of a status that is not a success, with what the server said. */
export function statusError(url: string, { status, text }: HttpAnswer): InsituError {
  const said = text.trim().startsWith("<") ? "" : text.trim().slice(0, 300);
  const advice =
    status === 401 || status === 403
      ? "Pass the operator's token with --token or INSITU_TOKEN."
      : status >= 300 && status < 400
        ? "Pass the address that it redirects to."
        : status >= 500
          ? "Try again later, and look at the server's log."
          : "Check the address.";
  const message = `${url}: the server answered ${status}${said && ` (${said})`}. ${advice}`;
  return new InsituError(status >= 500 ? "http_5xx" : "http_4xx", message, { url, status });
}

export const bearer = (token: string | undefined): Record<string, string> =>
  token ? { authorization: `Bearer ${token}` } : {};
