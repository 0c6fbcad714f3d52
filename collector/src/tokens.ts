// The keys and tokens that are secret: of readers, of the operator, and of the site's own servers; pure.
import { createHash, timingSafeEqual } from "node:crypto";
import { createHosts } from "./hosts.js";

export interface TokenOptions {
  readToken?: string;
  /** For what changes what pages run or starts work: reports of retraining, for example. Without it nobody may. */
  operatorToken?: string;
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

export interface Tokens {
  /** Whether the caller has sent a trusted key. */
  isTrusted(caller: Caller): boolean;
  /** Returns null when the caller may read. */
  read(caller: Caller): Denial | null;
  /** Returns null when the caller is the operator. */
  operate(caller: Caller): Denial | null;
}

export function createTokens(options: TokenOptions): Tokens {
  const { readToken, operatorToken, trustedKeys = [], allowHosts = [], host = "localhost" } = options;
  const token = readToken ? hashOf(readToken) : null;
  const operator = operatorToken ? hashOf(operatorToken) : null;
  const trusted = trustedKeys.map(hashOf);
  const isExpectedHost = createHosts(host, allowHosts);
  return {
    // Not from the address: it is written into the logs of proxies.
    isTrusted: ({ authorization, insituKey }) =>
      [bearer(authorization), insituKey].some((sent) => trusted.some((one) => isSame(sent, one))),
    read: ({ authorization, host: asked }) => {
      // A page that points its own name at this address (DNS rebinding) has no token; without a token the name must tell it.
      if (!token) return isExpectedHost(asked) ? null : { status: 403, message: unexpectedHost(asked) };
      // Who publishes reads what it decides by.
      if ([token, operator].some((one) => one && isSame(bearer(authorization), one))) return null;
      return { status: 401, message: 'The read token is missing or wrong; send it as "authorization: Bearer …".' };
    },
    operate: ({ authorization }) => {
      if (!operator) return { status: 403, message: "Nobody may do this: start the collector with --operator-token." };
      if (isSame(bearer(authorization), operator)) return null;
      return { status: 401, message: 'The operator token is missing or wrong; send it as "authorization: Bearer …".' };
    },
  };
}

export function bearer(authorization: string | undefined): string | undefined {
  return authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/** Hashes have the same length, as a comparison in constant time needs. */
export function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSame(sent: string | undefined, hash: Buffer): boolean {
  return sent !== undefined && timingSafeEqual(hashOf(sent), hash);
}

function unexpectedHost(host = ""): string {
  const name = host.replace(/:\d*$/, "");
  return `"${host}" is not a name of this collector; start it with --allow-host ${name}, or with --read-token.`;
}
