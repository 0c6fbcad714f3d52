// Ed25519 keys and package signatures, made by Node and not by the library.
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SignatureSpec } from "../../src/shared/types/manifest.js";
import type { TrustedKey } from "../../src/shared/types/model.js";
import { canonicalBytes } from "../../src/worker/package/canonical-json.js";

export interface Key extends TrustedKey {
  sign(bytes: Uint8Array): Buffer;
}

export function newKey(id: string): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return {
    id,
    publicKey: Buffer.from(x, "base64url").toString("base64"),
    sign: (bytes) => signBytes(null, bytes, privateKey),
  };
}

/** What a page passes as `trust`. */
export const trusting = (keys: Key[], threshold?: number) => ({
  keys: keys.map(({ id, publicKey }) => ({ id, publicKey })),
  threshold,
});

/** Signs the package in `folder` with each of the keys, in place of the signatures it had. */
export function signPackage(folder: string, ...keys: Key[]): void {
  changeText(folder, (text) => {
    const bytes = canonicalBytes(text);
    const signatures = keys.map(
      (key): SignatureSpec => ({
        keyId: key.id,
        algorithm: "Ed25519",
        signature: key.sign(bytes).toString("base64"),
      }),
    );
    return JSON.stringify({ ...JSON.parse(text), signatures });
  });
}

export function changeText(folder: string, change: (text: string) => string): void {
  const path = join(folder, "insitu.json");
  writeFileSync(path, change(readFileSync(path, "utf8")));
}
