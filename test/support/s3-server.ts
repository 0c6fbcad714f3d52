// A server of the part of S3 that the registry uses, in memory: GetObject, PutObject with conditions, DeleteObject, ListObjectsV2.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface S3Server {
  url: string;
  bucket: string;
  objects: Map<string, Buffer>;
  /** Requests by method, such as `PUT`. */
  counts: Record<string, number>;
  /** Takes every PUT, whatever its conditions are, as some stores do. */
  ignoresConditions: boolean;
  /** Drops the connection after this many more PUTs were carried out, without an answer. */
  dropAfter: number;
  close(): Promise<void>;
}

const BUCKET = "models";
/** Small, so that listings have several pages. */
const PAGE = 7;

const etagOf = (bytes: Buffer) => `"${createHash("md5").update(bytes).digest("hex")}"`;

const escapeXml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function list(server: S3Server, query: URLSearchParams, response: ServerResponse): void {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter");
  const after = query.get("continuation-token") ?? "";
  const entries = new Map<string, Buffer | undefined>();
  for (const key of [...server.objects.keys()].filter((key) => key.startsWith(prefix)).sort()) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    if (end >= 0) entries.set(key.slice(0, end + 1), undefined);
    else entries.set(key, server.objects.get(key));
  }
  const rest = [...entries].filter(([key]) => key > after);
  const page = rest.slice(0, PAGE);
  const xml = page.map(([key, bytes]) =>
    bytes
      ? `<Contents><Key>${escapeXml(key)}</Key><Size>${bytes.length}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`
      : `<CommonPrefixes><Prefix>${escapeXml(key)}</Prefix></CommonPrefixes>`,
  );
  const isTruncated = rest.length > page.length;
  const next = isTruncated ? `<NextContinuationToken>${escapeXml(page.at(-1)?.[0] ?? "")}</NextContinuationToken>` : "";
  response.writeHead(200, { "content-type": "application/xml" });
  response.end(
    `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${xml.join("")}</ListBucketResult>`,
  );
}

async function put(server: S3Server, key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bytes = await bodyOf(request);
  const there = server.objects.get(key);
  const { "if-none-match": ifNone, "if-match": ifMatch } = request.headers;
  if (!server.ignoresConditions) {
    if (ifNone === "*" && there) return fail(response, 412, "PreconditionFailed");
    if (ifMatch !== undefined && !there) return fail(response, 404, "NoSuchKey");
    if (ifMatch !== undefined && there && etagOf(there) !== ifMatch) return fail(response, 412, "PreconditionFailed");
  }
  server.objects.set(key, bytes);
  server.dropAfter -= 1;
  if (server.dropAfter === 0) return void request.socket.destroy();
  response.writeHead(200, { etag: etagOf(bytes) }).end();
}

export async function startS3(): Promise<S3Server> {
  const http = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://s3");
      const [, bucket, ...rest] = decodeURIComponent(url.pathname).split("/");
      const key = rest.join("/");
      server.counts[request.method ?? ""] = (server.counts[request.method ?? ""] ?? 0) + 1;
      if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256")) return fail(response, 403, "AccessDenied");
      if (bucket !== BUCKET) return fail(response, 404, "NoSuchBucket");
      if (request.method === "PUT") return put(server, key, request, response);
      if (request.method === "DELETE") {
        server.objects.delete(key);
        return void response.writeHead(204).end();
      }
      if (key === "") return list(server, url.searchParams, response);
      const bytes = server.objects.get(key);
      if (!bytes) return fail(response, 404, "NoSuchKey");
      response.writeHead(200, { etag: etagOf(bytes), "content-length": bytes.length }).end(bytes);
    })();
  });
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const server: S3Server = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    bucket: BUCKET,
    objects: new Map(),
    counts: {},
    ignoresConditions: false,
    dropAfter: 0,
    close: () =>
      new Promise((done) => {
        http.closeAllConnections();
        http.close(() => done());
      }),
  };
  return server;
}
