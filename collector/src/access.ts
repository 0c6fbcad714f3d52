// Decides who may write, who may read, and which origins' pages may send; pure.
import { timingSafeEqual } from "node:crypto";
import type { FastifyCorsOptions } from "@fastify/cors";
import { bearer, type Caller, createTokens, type Denial, hashOf, type TokenOptions, type Tokens } from "./tokens.js";

/** A key that allows to write; with origins of its own only their pages may use it. */
export interface WriteKey {
  key: string;
  allowOrigins?: readonly string[];
}

export interface AccessOptions extends TokenOptions {
  writeKey?: string;
  writeKeys?: readonly WriteKey[];
  allowOrigins?: readonly string[];
}

export interface Access extends Tokens {
  cors: FastifyCorsOptions;
  /** Returns null when the caller may write. */
  write(caller: Caller): Denial | null;
  /** The valid key that a caller sends, for its rate limit. */
  senderOf(caller: Caller): string | undefined;
}

// Ten minutes: Chromium would cache a preflight for up to two hours, too long for a mistake.
const PREFLIGHT_SECONDS = 600;

/** Throws when a key, a token, an origin or a host is not valid. Without any key, token or origin everything is open. */
export function createAccess(options: AccessOptions): Access {
  const { writeKey, writeKeys = [], readToken, operatorToken, trustedKeys = [], allowOrigins = [] } = options;
  const given: WriteKey[] = [...(writeKey === undefined ? [] : [{ key: writeKey }]), ...writeKeys];
  // As of a variable of the environment that is not set: nobody means to open everything by it.
  if ([readToken, operatorToken, ...trustedKeys, ...given.map(({ key }) => key)].includes(""))
    throw new Error("A key or a token is empty. Pass one that is not, or leave the option out.");
  const known = given.find(({ key }) => trustedKeys.includes(key));
  if (known) throw new Error("A trusted key is a write key too, which pages contain. Use a key of its own.");
  const keys = given.map(({ key, allowOrigins: own }: WriteKey) => ({
    key,
    hash: hashOf(key),
    origins: (own ?? allowOrigins).map(toOrigin),
  }));
  const shared = allowOrigins.map(toOrigin);
  // A preflight has no key: it is allowed for every origin that some key allows.
  const origins = keys.some((one) => one.origins.length === 0)
    ? shared
    : [...new Set([...shared, ...keys.flatMap((one) => one.origins)])];
  const sentKey = ({ authorization, insituKey, key }: Caller) => {
    const sent = [bearer(authorization), insituKey, key].flatMap((one) => (one === undefined ? [] : [hashOf(one)]));
    return keys.find(({ hash }) => sent.some((one) => timingSafeEqual(one, hash)));
  };
  const tokens = createTokens(options);
  return {
    ...tokens,
    // sendBeacon always sends credentials, so named origins are allowed one by one with credentials; "any origin" is
    // allowed without them, since there may be a login in front of this server.
    cors: {
      origin: origins.length > 0 ? origins : true,
      credentials: origins.length > 0,
      methods: ["POST"],
      // A page sees no other header of another origin's response, and must know when to come again.
      exposedHeaders: ["retry-after"],
      maxAge: PREFLIGHT_SECONDS,
    },
    senderOf: (caller) => sentKey(caller)?.key,
    write: (caller) => {
      const { origin } = caller;
      if (tokens.isTrusted(caller)) return origin === undefined ? null : { status: 403, message: TRUSTED_IN_PAGE };
      const found = sentKey(caller);
      const allowed = found ? found.origins : origins;
      // CORS keeps a page from reading the response, not from sending. A caller without Origin is not a browser.
      if (allowed.length > 0 && origin !== undefined && !allowed.includes(origin))
        return { status: 403, message: `Pages of ${origin} may not send here; start with --allow-origin ${origin}.` };
      if (keys.length === 0 || found) return null;
      const ways = '"authorization: Bearer …", "x-insitu-key: …" or "?key=…"';
      return { status: 401, message: `The write key is missing or wrong; send it as ${ways}.` };
    },
  };
}

const TRUSTED_IN_PAGE =
  "A page has sent a trusted key, which belongs to your own servers: whoever reads the page can promote a version with it. Replace the key.";

function toOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // "null" is the origin of every sandboxed page, and a path would promise a limit that browsers do not have.
  if (!url || url.origin === "null" || (url.href !== url.origin && url.href !== `${url.origin}/`))
    throw new Error(`"${text}" is not an origin; write it as https://shop.example or http://localhost:4173.`);
  return url.origin;
}
