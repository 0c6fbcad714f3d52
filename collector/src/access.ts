// Who may write, who may read, and which web pages may talk to the collector at all; pure.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyCorsOptions } from "@fastify/cors";

export interface AccessOptions {
  writeKey?: string;
  readToken?: string;
  allowOrigins?: readonly string[];
}

/** What of a request decides; `key` is the query's. */
export interface Caller {
  authorization?: string;
  insituKey?: string;
  key?: string;
  origin?: string;
}

export interface Denial {
  status: 401 | 403;
  message: string;
}

export interface Access {
  cors: FastifyCorsOptions;
  /** Null when the caller may write. */
  write(caller: Caller): Denial | null;
  /** Null when the caller may read. */
  read(caller: Caller): Denial | null;
}

// Ten minutes: Chromium forgets a preflight's answer after two hours at most, and a mistake should not stay that long.
const PREFLIGHT_SECONDS = 600;

/** Throws when an origin is none. Without any key, token or origin everything is open. */
export function createAccess({ writeKey, readToken, allowOrigins = [] }: AccessOptions): Access {
  const origins = allowOrigins.map(toOrigin);
  return {
    // sendBeacon always sends credentials, so named origins are answered one by one with credentials allowed; "any
    // origin" is answered without, for whoever puts a login in front of this server.
    cors: {
      origin: origins.length > 0 ? origins : true,
      credentials: origins.length > 0,
      methods: ["POST"],
      maxAge: PREFLIGHT_SECONDS,
    },
    write: ({ authorization, insituKey, key, origin }) => {
      // CORS keeps a page from reading the answer, not from sending. A caller without Origin is no browser.
      if (origins.length > 0 && origin !== undefined && !origins.includes(origin))
        return { status: 403, message: `Pages of ${origin} may not send here; start with --allow-origin ${origin}.` };
      if (!writeKey || [bearer(authorization), insituKey, key].some((given) => equal(given, writeKey))) return null;
      const ways = '"authorization: Bearer …", "x-insitu-key: …" or "?key=…"';
      return { status: 401, message: `The write key is missing or wrong; send it as ${ways}.` };
    },
    read: ({ authorization }) => {
      if (!readToken || equal(bearer(authorization), readToken)) return null;
      return { status: 401, message: 'The read token is missing or wrong; send it as "authorization: Bearer …".' };
    },
  };
}

function toOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // "null" is the origin of every sandboxed page, and a path would promise a limit that browsers do not have.
  if (!url || url.origin === "null" || (url.href !== url.origin && url.href !== `${url.origin}/`))
    throw new Error(`"${text}" is no origin; write it as https://shop.example or http://localhost:4173.`);
  return url.origin;
}

function bearer(authorization: string | undefined): string | undefined {
  return authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/** Takes the same time wherever the two differ; hashes, since they must be of one length for that. */
function equal(given: string | undefined, expected: string): boolean {
  if (given === undefined) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
