// Decides who may write, who may read, and which origins' pages may send; pure.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyCorsOptions } from "@fastify/cors";
import { createHosts } from "./hosts.js";

/** A key that allows to write; with origins of its own only their pages may use it. */
export interface WriteKey {
  key: string;
  allowOrigins?: readonly string[];
}

export interface AccessOptions {
  writeKey?: string;
  writeKeys?: readonly WriteKey[];
  readToken?: string;
  /** For what changes what pages run or starts work: reports of retraining, for example. Without it nobody may. */
  operatorToken?: string;
  allowOrigins?: readonly string[];
  /** Keys of the site's own servers: outcomes that they send are trusted, and can promote a version. */
  trustedKeys?: readonly string[];
  /** Names under which `GET /metrics` and `GET /v1/report` may be requested; used without a read token only. */
  allowHosts?: readonly string[];
  /** The address to listen on. */
  host?: string;
}

/** The parts of a request that decide; `key` is from its query. */
export interface Caller {
  host?: string;
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
  /** Returns null when the caller may write. */
  write(caller: Caller): Denial | null;
  /** The valid key that a caller sends, for its rate limit. */
  senderOf(caller: Caller): string | undefined;
  /** Whether the caller has sent a trusted key. */
  isTrusted(caller: Caller): boolean;
  /** Returns null when the caller may read. */
  read(caller: Caller): Denial | null;
  /** Returns null when the caller is the operator. */
  operate(caller: Caller): Denial | null;
}

// Ten minutes: Chromium would cache a preflight for up to two hours, too long for a mistake.
const PREFLIGHT_SECONDS = 600;

/** Throws when a key, a token, an origin or a host is not valid. Without any key, token or origin everything is open. */
export function createAccess(options: AccessOptions): Access {
  const {
    writeKey,
    writeKeys = [],
    readToken,
    operatorToken,
    trustedKeys = [],
    allowOrigins = [],
    allowHosts = [],
    host = "localhost",
  } = options;
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
  const token = readToken ? hashOf(readToken) : null;
  const operator = operatorToken ? hashOf(operatorToken) : null;
  const isExpectedHost = createHosts(host, allowHosts);
  const shared = allowOrigins.map(toOrigin);
  // A preflight has no key: it is allowed for every origin that some key allows.
  const origins = keys.some((one) => one.origins.length === 0)
    ? shared
    : [...new Set([...shared, ...keys.flatMap((one) => one.origins)])];
  const sentKey = ({ authorization, insituKey, key }: Caller) => {
    const sent = [bearer(authorization), insituKey, key].flatMap((one) => (one === undefined ? [] : [hashOf(one)]));
    return keys.find(({ hash }) => sent.some((one) => timingSafeEqual(one, hash)));
  };
  const trusted = trustedKeys.map(hashOf);
  // Not from the address: it is written into the logs of proxies.
  const isTrusted = ({ authorization, insituKey }: Caller) =>
    [bearer(authorization), insituKey].some((one) => {
      const hash = one === undefined ? undefined : hashOf(one);
      return hash !== undefined && trusted.some((other) => timingSafeEqual(hash, other));
    });
  return {
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
      if (isTrusted(caller)) return origin === undefined ? null : { status: 403, message: TRUSTED_IN_PAGE };
      const found = sentKey(caller);
      const allowed = found ? found.origins : origins;
      // CORS keeps a page from reading the response, not from sending. A caller without Origin is not a browser.
      if (allowed.length > 0 && origin !== undefined && !allowed.includes(origin))
        return { status: 403, message: `Pages of ${origin} may not send here; start with --allow-origin ${origin}.` };
      if (keys.length === 0 || found) return null;
      const ways = '"authorization: Bearer …", "x-insitu-key: …" or "?key=…"';
      return { status: 401, message: `The write key is missing or wrong; send it as ${ways}.` };
    },
    isTrusted,
    read: ({ authorization, host: asked }) => {
      // A page that points its own name at this address (DNS rebinding) has no token; without a token the name must tell it.
      if (!token) return isExpectedHost(asked) ? null : { status: 403, message: unexpectedHost(asked) };
      const given = bearer(authorization);
      if (given !== undefined && timingSafeEqual(hashOf(given), token)) return null;
      return { status: 401, message: 'The read token is missing or wrong; send it as "authorization: Bearer …".' };
    },
    operate: ({ authorization }) => {
      if (!operator) return { status: 403, message: "Nobody may do this: start the collector with --operator-token." };
      const given = bearer(authorization);
      if (given !== undefined && timingSafeEqual(hashOf(given), operator)) return null;
      return { status: 401, message: 'The operator token is missing or wrong; send it as "authorization: Bearer …".' };
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

function bearer(authorization: string | undefined): string | undefined {
  return authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/** Hashes have the same length, as a comparison in constant time needs. */
function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function unexpectedHost(host = ""): string {
  const name = host.replace(/:\d*$/, "");
  return `"${host}" is not a name of this collector; start it with --allow-host ${name}, or with --read-token.`;
}
