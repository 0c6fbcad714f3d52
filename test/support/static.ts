// The responses of a good static host: content type, strong ETag, 304, and ranges with If-Range.
import { readFileSync, type Stats, statSync } from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { extname, join, resolve, sep } from "node:path";

/** How a host treats what it serves; tests change it while it runs. */
export interface Manners {
  /** False for a host that sends the whole file whatever it is asked for. */
  ranges: boolean;
  /** The ETag of a file, called once a request; undefined for none. */
  etag(path: string, stats: Stats): string | undefined;
  /** Sent with every response, beside the server's own. */
  headers: Record<string, string>;
}

export const GOOD_MANNERS: Manners = {
  ranges: true,
  etag: (_path, stats) => `"${stats.size}-${stats.mtimeMs}"`,
  headers: {},
};

/** `start` up to, not including, `end` of the file at `path` is the body. */
export interface Reply {
  status: 200 | 206 | 304 | 416;
  headers: OutgoingHttpHeaders;
  path: string;
  start: number;
  end: number;
}

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html;charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/** The file under `dir` that `inMount` names, a folder's `index.html` for a folder; undefined when there is none. */
export function findFile(dir: string, inMount: string): string | undefined {
  const root = resolve(dir);
  const path = join(root, inMount);
  if (path !== root && !path.startsWith(root + sep)) return undefined;
  for (const candidate of [path, join(path, "index.html"), `${path}.html`]) {
    if (statSync(candidate, { throwIfNoEntry: false })?.isFile()) return candidate;
  }
  return undefined;
}

/** Read anew at each request: files may change while a test runs. */
export function replyTo({ headers: asked }: IncomingMessage, path: string, { ranges, etag }: Manners): Reply {
  const stats = statSync(path);
  const { size } = stats;
  const tag = etag(path, stats);
  const headers: OutgoingHttpHeaders = {
    "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
    ...(tag && { ETag: tag }),
    ...(ranges && { "Accept-Ranges": "bytes" }),
  };
  if (tag && asked["if-none-match"] === tag) return { status: 304, headers, path, start: 0, end: 0 };
  // If-Range compares strongly (RFC 9110, 13.1.5): a weak tag is never the same file.
  const same = asked["if-range"] === undefined || (asked["if-range"] === tag && !tag?.startsWith("W/"));
  const range = ranges && same ? /^bytes=(\d+)-(\d*)$/.exec(asked.range ?? "") : null;
  if (!range) return { status: 200, headers: { ...headers, "Content-Length": size }, path, start: 0, end: size };
  const start = Number(range[1]);
  const end = Math.min(size, range[2] ? Number(range[2]) + 1 : size);
  if (start >= size) {
    return { status: 416, headers: { ...headers, "Content-Range": `bytes */${size}` }, path, start: 0, end: 0 };
  }
  const part = { "Content-Length": end - start, "Content-Range": `bytes ${start}-${end - 1}/${size}` };
  return { status: 206, headers: { ...headers, ...part }, path, start, end };
}

export function bodyOf({ path, start, end }: Reply): Buffer {
  return readFileSync(path).subarray(start, end);
}
