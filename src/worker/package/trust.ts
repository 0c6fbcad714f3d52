// Decides whether a manifest may be used: enough valid signatures of known keys, not expired, not older than one seen before.
import { InsituError } from "../../shared/errors.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { TrustedKey, TrustOptions } from "../../shared/types/model.js";
import { cryptoFile } from "../lib/crypto-file.js";
import { canonicalBytes } from "./canonical-json.js";

export const ALGORITHM = "Ed25519";

/**
 * Throws `model_signature` unless at least `threshold` different keys of `trust` signed the manifest in `text`. A key counts
 * once, however often it signed and under however many ids. Ed25519 as in RFC 8032, over the manifest's canonical bytes.
 */
export async function checkSignatures(
  text: string,
  manifest: Pick<Manifest, "signatures">,
  trust: TrustOptions,
  url: string,
): Promise<void> {
  const threshold = trust.threshold ?? 1;
  const signed = canonicalBytes(text);
  const valid = new Set<string>();
  const problems: string[] = [];
  for (const { keyId, algorithm, signature } of manifest.signatures ?? []) {
    const key = trust.keys.find(({ id }) => id === keyId);
    if (!key) problems.push(`${keyId} is not a key of this client`);
    else if (algorithm !== ALGORITHM) problems.push(`${keyId} uses ${algorithm}, only ${ALGORITHM} is read`);
    else if (await verify(key, signature, signed)) valid.add(key.publicKey);
    else problems.push(`the signature of ${keyId} does not fit the manifest`);
  }
  if (valid.size >= threshold) return;
  const found = manifest.signatures?.length ? problems.join("; ") || "not enough keys signed" : "it is not signed";
  throw new InsituError(
    "model_signature",
    `${url} is refused: ${valid.size} of ${threshold} trusted signatures are valid (${found}). Sign it with "insitu sign", or check trust.keys.`,
    { url, valid: valid.size, threshold, problems },
  );
}

async function verify(key: TrustedKey, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const publicKey = fromBase64(key.publicKey);
  const bytes = fromBase64(signature);
  if (bytes.length !== 64) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", publicKey, ALGORITHM, false, ["verify"]);
    return await crypto.subtle.verify(ALGORITHM, imported, bytes, signed);
  } catch {
    // A page that is not a secure context, Chrome before 137, Firefox before 129; or a key that is none.
    return (await cryptoFile()).verify(bytes, signed, publicKey);
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}

/** Throws `model_expired` once the manifest's `expires` has passed; without the field it never does. `now` as `Date.now()`. */
export function checkExpiry({ expires }: Pick<Manifest, "expires">, now: number, url: string): void {
  if (expires === undefined || now < Date.parse(expires)) return;
  throw new InsituError(
    "model_expired",
    `${url} expired on ${expires}. Publish a newer release; if this device's clock is wrong, correct it.`,
    { url, expires, now: new Date(now).toISOString() },
  );
}

/** The highest release that was ever accepted from a package's address. */
export interface ReleaseFloor {
  url: string;
  name: string;
  release: number;
}

/** A row as it was written; a damaged one is as if it were absent. */
export const soundFloor = (row: ReleaseFloor | undefined): ReleaseFloor | undefined =>
  typeof row?.name === "string" && row.release >= 0 ? row : undefined;

// One stolen key must not be able to lock out all later releases by a huge number (TUF's fast-forward attack). Wide enough for
// numbers made of dates or of seconds.
const MAX_JUMP = 1e9;

/**
 * Throws `model_rollback` for a release lower than one that was accepted before (an old manifest played again), for a jump of
 * more than a thousand million, and `model_integrity` where another model stands at the address now.
 */
export function checkRelease(
  { name, release }: Pick<Manifest, "name" | "release">,
  floor: ReleaseFloor | undefined,
  url: string,
): void {
  if (!floor) return;
  if (name !== floor.name) {
    throw new InsituError(
      "model_integrity",
      `${url} was the model ${floor.name}, and is ${name} now. Publish another model at another address.`,
      { url, expected: floor.name, actual: name },
    );
  }
  if (release < floor.release || release - floor.release > MAX_JUMP) {
    const how = release < floor.release ? "is older than" : "is implausibly far after";
    throw new InsituError(
      "model_rollback",
      `${url} is release ${release}, which ${how} release ${floor.release} that was loaded before. To go back on purpose, publish the old files under a higher release.`,
      { url, release, accepted: floor.release },
    );
  }
}
