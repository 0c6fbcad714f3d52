// One HTTP request for a file or a part of it: headers read, body streamed under an idle watchdog, failures typed.
import { onAbort } from "../../../shared/abort.js";
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { retryAfterOf } from "../../../shared/retry-after.js";
import type { Platform } from "../platform.js";

/** Milliseconds without a byte until a request is given up; apart from any limit on the whole. */
export const IDLE_MS = 15_000;

export interface RequestOptions {
  signal: AbortSignal;
  /** Asks for the bytes from `from` up to, not including, `to`. */
  range?: { from: number; to: number };
  /** Strong validator of the answer before: the part is only wanted if the file is still that one. */
  ifRange?: string;
  /** Default: `no-store`. */
  cache?: "no-store" | "no-cache";
}

export interface HttpResponse {
  /** Where the first byte of the body stands in the file; 0 unless the host kept to the range. */
  from: number;
  /** Size of the whole file, where a partial response says it. */
  total?: number;
  /** True when the host sent the part that was asked for, false when it sent the whole file. */
  partial: boolean;
  /** Strong ETag, good for `ifRange`. */
  etag?: string;
  /** Content type, or "". */
  type: string;
  /** The decoded body, once. Leaving the loop early frees the connection. */
  body: Body;
}

/**
 * Bytes in pieces of any length. What is passed to `next` may be filled: its buffer is detached then, and the piece is a view of another one
 * with the same content, at the same offset.
 */
export type Body = AsyncGenerator<Piece, void, Piece | undefined>;

type Piece = Uint8Array<ArrayBuffer>;

/** Throws `network`, `http_4xx`, `http_5xx`, `timeout` (no byte for 15 s) or `aborted`; the body's generator the same. */
export async function request(url: string, options: RequestOptions, ports: Platform): Promise<HttpResponse> {
  const watch = watchdog(url, options.signal);
  try {
    const response = await ports.fetch(url, {
      signal: watch.signal,
      headers: headersOf(options),
      // The store is the cache: a second one would hold the model twice, and could hold an altered chunk for good.
      cache: options.cache ?? "no-store",
      credentials: "omit",
      // Wherever the bytes come from, their hashes are checked.
      redirect: "follow",
    });
    if (isRedirect(response)) throw redirected(url);
    if (!response.ok) throw httpError(url, response, ports.now());
    watch.fed();
    const body = bodyOf(response, watch, url);
    // Begun here: a generator that never began would not free the connection when it is left.
    await body.next();
    return { ...describe(response, options.range?.from), body };
  } catch (error) {
    watch.end();
    throw watch.explain(error);
  }
}

/** What comes back where redirects are not followed: browsers tell nothing of the target, Node shows the status. */
const isRedirect = ({ type, status }: Response) => type === "opaqueredirect" || (status >= 300 && status < 400);

function redirected(url: string): InsituError {
  const message = `${url} redirects, which is not followed with request.headers: the browser would send them to the other host. Load from the final address, or use request.credentials or a query string.`;
  return new InsituError("input_invalid", message, { url, field: "request.headers" });
}

function headersOf({ range, ifRange }: RequestOptions): Record<string, string> {
  if (!range) return {};
  return { Range: `bytes=${range.from}-${range.to - 1}`, ...(ifRange && { "If-Range": ifRange }) };
}

function describe({ status, headers }: Response, asked = 0): Omit<HttpResponse, "body"> {
  const etag = headers.get("etag");
  const type = headers.get("content-type") ?? "";
  const strong = etag && !etag.startsWith("W/") ? etag : undefined;
  if (status !== 206) return { from: 0, partial: false, etag: strong, type };
  // CORS hides this header unless the host exposes it; a part from elsewhere would not pass its hash.
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  return { from: Number(from ?? asked), total: total ? Number(total) : undefined, partial: true, etag: strong, type };
}

async function* bodyOf(response: Response, watch: Watchdog, url: string): Body {
  const reader = response.body ? readerOf(response.body) : undefined;
  try {
    let into = yield new Uint8Array(0);
    for (let next = await reader?.read(into); next && !next.done; next = await reader?.read(into)) {
      // What is done with the bytes is not the host's time.
      watch.pause();
      into = yield next.value as Piece;
      watch.fed();
    }
  } catch (error) {
    throw watch.explain(error);
  } finally {
    watch.end();
    void reader?.cancel(`no more of ${url} is wanted`).catch(() => undefined);
  }
}

// Where nothing better is given, such as before the first byte: a body that never comes costs little memory.
const PIECE_BYTES = 65_536;

/** Reads into the given buffers where the browser can (Safari cannot yet): a copy less, and fewer reads. */
function readerOf(body: ReadableStream<Uint8Array>) {
  try {
    const reader = body.getReader({ mode: "byob" });
    return {
      read: (into: Piece = new Uint8Array(PIECE_BYTES)) => reader.read(into),
      cancel: (reason: string) => reader.cancel(reason),
    };
  } catch {
    const reader = body.getReader();
    return { read: (_: Piece | undefined) => reader.read(), cancel: (reason: string) => reader.cancel(reason) };
  }
}

type Watchdog = ReturnType<typeof watchdog>;

function watchdog(url: string, outer: AbortSignal) {
  const stop = new AbortController();
  let idle = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = () => clearTimeout(timer);
  const fed = () => {
    pause();
    timer = setTimeout(() => {
      idle = true;
      stop.abort();
    }, IDLE_MS);
  };
  const unlink = onAbort(outer, () => stop.abort());
  fed();
  return {
    signal: stop.signal,
    fed,
    pause,
    end() {
      pause();
      unlink();
      stop.abort();
    },
    explain(error: unknown): InsituError {
      if (idle) {
        const message = `${url} sent no byte for ${IDLE_MS / 1000} s. Check the connection and load again.`;
        return new InsituError("timeout", message, { url, idleMs: IDLE_MS });
      }
      if (outer.aborted) return new InsituError("aborted", `Loading ${url} was aborted.`, { url }, { cause: error });
      const message = `Could not fetch ${url}. Check the address, the connection and the host's CORS and redirect rules`;
      return asInsituError(error, "network", message, { url });
    },
  };
}

function httpError(url: string, { status, headers }: Response, now: number): InsituError {
  const code = status >= 500 ? "http_5xx" : "http_4xx";
  const advice =
    code === "http_4xx"
      ? "Check that the whole package folder is published there"
      : "The host has trouble; load again later";
  const retryAfterMs = retryAfterOf(headers.get("retry-after"), now);
  const data = { url, status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return new InsituError(code, `${url} answered HTTP ${status}. ${advice}.`, data);
}
