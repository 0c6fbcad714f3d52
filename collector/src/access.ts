// Who may write, who may read, and which web pages may talk to the collector at all; pure.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyCorsOptions } from "@fastify/cors";

/** A key that senders may show; with origins of its own only pages of those may use it. */
export interface WriteKey {
  key: string;
  allowOrigins?: readonly string[];
}

export interface AccessOptions {
  writeKey?: string;
  writeKeys?: readonly WriteKey[];
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
  /** Whose bucket of tokens a caller takes from: the key's that it shows, if that is one. */
  senderOf(caller: Caller): string | undefined;
  /** Null when the caller may read. */
  read(caller: Caller): Denial | null;
}

// Ten minutes: Chromium forgets a preflight's answer after two hours at most, and a mistake should not stay that long.
const PREFLIGHT_SECONDS = 600;

/** Throws when an origin is none. Without any key, token or origin everything is open. */
export function createAccess({ writeKey, writeKeys = [], readToken, allowOrigins = [] }: AccessOptions): Access {
  const keys = [...(writeKey ? [{ key: writeKey }] : []), ...writeKeys].map(({ key, allowOrigins: own }: WriteKey) => ({
    key,
    origins: (own ?? allowOrigins).map(toOrigin),
  }));
  const shared = allowOrigins.map(toOrigin);
  // A preflight shows no key: it is answered for every page that some key lets in.
  const origins = keys.some((one) => one.origins.length === 0)
    ? shared
    : [...new Set([...shared, ...keys.flatMap((one) => one.origins)])];
  const shown = ({ authorization, insituKey, key }: Caller) =>
    keys.find((one) => [bearer(authorization), insituKey, key].some((given) => equal(given, one.key)));
  return {
    // sendBeacon always sends credentials, so named origins are answered one by one with credentials allowed; "any
    // origin" is answered without, for whoever puts a login in front of this server.
    cors: {
      origin: origins.length > 0 ? origins : true,
      credentials: origins.length > 0,
      methods: ["POST"],
      maxAge: PREFLIGHT_SECONDS,
    },
    senderOf: (caller) => shown(caller)?.key,
    write: (caller) => {
      const { origin } = caller;
      const found = shown(caller);
      const allowed = found ? found.origins : origins;
      // CORS keeps a page from reading the answer, not from sending. A caller without Origin is no browser.
      if (allowed.length > 0 && origin !== undefined && !allowed.includes(origin))
        return { status: 403, message: `Pages of ${origin} may not send here; start with --allow-origin ${origin}.` };
      if (keys.length === 0 || found) return null;
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
