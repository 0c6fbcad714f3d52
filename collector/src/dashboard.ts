// Serves the built dashboard: a fixed list of files without data, read once.
import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import type { FastifyInstance } from "fastify";

/** Where `npm run build` puts it; the same folder from src/ and from dist/. */
const BUILT = fileURLToPath(new URL("../dist/dashboard/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

// The page needs its own files and the report: no other source, and no other page may frame it.
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  vary: "accept-encoding",
} as const;

// Files under assets/ have a hash of their content in their name.
const IMMUTABLE = "public, max-age=31536000, immutable";
const REVALIDATE = "no-cache";

interface Options {
  folder?: string;
}

/** A Fastify plugin: `GET /` redirects to `/dashboard/`, which needs no token, since the page holds no data. */
export async function dashboard(app: FastifyInstance, { folder = BUILT }: Options): Promise<void> {
  // Relative, so that both work behind a proxy that serves the collector under a path.
  app.get("/", async (_request, reply) => reply.redirect("dashboard/"));
  app.get("/dashboard", async (_request, reply) => reply.redirect("dashboard/"));
  const files = list(folder);
  if (!files.includes("index.html")) {
    app.get("/dashboard/", async (_request, reply) =>
      reply.code(404).send({ code: 5, message: "The dashboard is not built; run npm run build:collector." }),
    );
    return;
  }
  for (const file of files) serve(app, file, readFileSync(`${folder}/${file}`));
}

function list(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) =>
      path.replaceAll("\\", "/"),
    );
    return entries.filter((path) => extname(path) in TYPES);
  } catch {
    return []; // Not built.
  }
}

function serve(app: FastifyInstance, file: string, plain: Buffer): void {
  let packed: Promise<Buffer> | undefined;
  const path = file === "index.html" ? "" : file;
  app.get(`/dashboard/${path}`, async (request, reply) => {
    reply.headers(HEADERS).type(TYPES[extname(file)] ?? "application/octet-stream");
    reply.header("cache-control", file.startsWith("assets/") ? IMMUTABLE : REVALIDATE);
    if (!/\bbr\b/.test(String(request.headers["accept-encoding"]))) return reply.send(plain);
    // Once, with the first request: a collector whose dashboard is not used should not spend a second on it.
    packed ??= promisify(brotliCompress)(plain);
    return reply.header("content-encoding", "br").send(await packed);
  });
}
