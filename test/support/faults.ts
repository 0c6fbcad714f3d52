// How a host fails or attacks, as a response to one request.
import type { ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { bodyOf, type Reply } from "./static.js";

/** Bytes are counted in the body that the good response would have, which may be a part of the file. */
export type Fault =
  | { kind: "status"; status: number; retryAfter?: string }
  /** What a single-page app's server, or a captive portal, sends for any path: 200 and its page. */
  | { kind: "html" }
  /** `bytes` of the body, then the socket is cut although more was promised. */
  | { kind: "cut"; bytes: number }
  /** `bytes` of the body and a proper end, without any length that would tell. */
  | { kind: "truncate"; bytes: number }
  /** The byte at `offset` of the file is flipped. */
  | { kind: "alter"; offset: number }
  | { kind: "replace"; body: string | Uint8Array; type?: string }
  /** `bytes` of the body (default none, headers only), then nothing more. */
  | { kind: "stall"; bytes?: number }
  /** The body, and blanks behind it for as long as the client reads. */
  | { kind: "endless"; encoding?: "gzip" }
  | { kind: "redirect"; to: string };

export const HTML_PAGE =
  '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>';

// Chromium throws away what it has received and not yet handed on when a connection breaks: with time to read before the cut,
// how much arrived does not depend on chance.
const CUT_AFTER_MS = 300;

/** `good` is the response to a request for the file; undefined when there is no such file. */
export function fail(fault: Fault, good: Reply | undefined, res: ServerResponse): void {
  const body = () => (good ? bodyOf(good) : Buffer.alloc(0));
  const { "Content-Length": length, ...headers } = good?.headers ?? { "Content-Type": "application/octet-stream" };
  const status = good?.status ?? 200;
  switch (fault.kind) {
    case "status":
      if (fault.retryAfter) res.setHeader("Retry-After", fault.retryAfter);
      res.writeHead(fault.status, { "Content-Type": "text/plain" }).end(`${fault.status}`);
      return;
    case "html":
      res.writeHead(200, { "Content-Type": "text/html" }).end(HTML_PAGE);
      return;
    case "cut":
      res.writeHead(status, { ...headers, "Content-Length": length });
      res.write(body().subarray(0, fault.bytes), () => setTimeout(() => res.destroy(), fault.bytes && CUT_AFTER_MS));
      return;
    case "truncate":
      // Else Node would frame the body in chunks.
      res.useChunkedEncodingByDefault = false;
      res.writeHead(status, { ...headers, Connection: "close" });
      res.end(body().subarray(0, fault.bytes));
      return;
    case "alter": {
      const bytes = Buffer.from(body());
      const at = fault.offset - (good?.start ?? 0);
      if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] as number) ^ 0xff;
      res.writeHead(status, { ...headers, "Content-Length": length }).end(bytes);
      return;
    }
    case "replace":
      res.writeHead(200, { "Content-Type": fault.type ?? "application/octet-stream" }).end(fault.body);
      return;
    case "stall":
      res.writeHead(status, { ...headers, "Content-Length": length }).flushHeaders();
      if (fault.bytes) res.write(body().subarray(0, fault.bytes));
      return;
    case "endless": {
      res.writeHead(200, { ...headers, ...(fault.encoding && { "Content-Encoding": fault.encoding }) });
      const steps = fault.encoding ? [createGzip()] : [];
      // The client's leaving is what is wanted, and no error here.
      pipeline([Readable.from(endless(body())), ...steps, res], () => undefined);
      return;
    }
    case "redirect":
      res.writeHead(302, { Location: fault.to }).end();
      return;
    default:
      fault satisfies never;
  }
}

function* endless(body: Buffer): Generator<Buffer> {
  if (body.length > 0) yield body;
  const blanks = Buffer.alloc(64 * 1024, " ");
  for (;;) yield blanks;
}
