// Signs the manifest of a package and keeps its other fields unchanged.
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { Manifest, SignatureSpec } from "../shared/types/manifest.js";
import { canonicalBytes, digestOf } from "../worker/package/canonical-json.js";
import { parseManifest } from "../worker/package/manifest.js";
import { ALGORITHM, checkSignatures } from "../worker/package/trust.js";
import { type KeyFile, readKey } from "./keys.js";
import { verifyPackage } from "./verify.js";

export interface SignOptions {
  /** Path of a key file made by `insitu keygen`. */
  key: string;
  /** Changes the manifest's `release`. */
  release?: number;
  /** ISO 8601; changes the manifest's `expires`. */
  expires?: string;
}

export interface SignResult {
  manifest: Manifest;
  digest: string;
  keyId: string;
  /** Ids of the keys whose signatures were removed, since the manifest changed. */
  dropped: string[];
}

/** Verifies the whole package first, so that no damaged package is signed. The manifest is replaced atomically. */
export async function signPackage(folder: string, options: SignOptions): Promise<SignResult> {
  const key = await readKey(options.key);
  const { text: before } = await verifyPackage(folder);
  const path = join(folder, "insitu.json");
  const json = JSON.parse(before) as Record<string, unknown>;
  if (options.release !== undefined) json.release = options.release;
  if (options.expires !== undefined) json.expires = options.expires;
  const unchanged = (await digestOf(before)) === (await digestOf(JSON.stringify(json)));
  const others = ((json.signatures ?? []) as SignatureSpec[]).filter(({ keyId }) => keyId !== key.id);
  const text = await signedText({ ...json, signatures: unchanged ? others : [] }, key, path);
  await replaceFile(path, text);
  return {
    manifest: parseManifest(text, path),
    digest: await digestOf(text),
    keyId: key.id,
    dropped: unchanged ? [] : others.map(({ keyId }) => keyId),
  };
}

/**
 * Returns the text of a manifest, or of what else `parse` reads, with the key's signature added; `where` is its path, for messages.
 */
export async function signedText(
  json: Record<string, unknown>,
  key: KeyFile,
  where: string,
  parse: (text: string, where: string) => { signatures?: SignatureSpec[] } = parseManifest,
): Promise<string> {
  if (key.privateKey === undefined) {
    const message = `The key ${key.id} is a public key, which cannot sign. Pass the private key file, which "insitu keygen" wrote to --out.`;
    throw new InsituError("input_invalid", message, { keyId: key.id });
  }
  const privateKey = await importPrivate(key);
  const bytes = await crypto.subtle.sign(ALGORITHM, privateKey, canonicalBytes(JSON.stringify(json)));
  const signature = { keyId: key.id, algorithm: ALGORITHM, signature: Buffer.from(bytes).toString("base64") };
  const signatures = [...((json.signatures ?? []) as SignatureSpec[]), signature];
  const text = `${JSON.stringify({ ...json, signatures }, null, 2)}\n`;
  const signed = parse(text, where);
  try {
    await checkSignatures(text, signed, { keys: [key] }, where);
  } catch (cause) {
    // No client would accept the signature.
    const message = `The private and the public key of ${key.id} do not belong together. Use the file as "insitu keygen" wrote it.`;
    throw new InsituError("input_invalid", message, { keyId: key.id }, { cause });
  }
  return text;
}

async function importPrivate(key: KeyFile): Promise<CryptoKey> {
  try {
    const bytes = Buffer.from(key.privateKey ?? "", "base64");
    return await crypto.subtle.importKey("pkcs8", bytes, ALGORITHM, false, ["sign"]);
  } catch (cause) {
    const message = `The private key of ${key.id} is damaged: it is not an ${ALGORITHM} key in PKCS #8. Restore the key file from a backup.`;
    throw new InsituError("input_invalid", message, { keyId: key.id }, { cause });
  }
}

/** A concurrent reader sees the old file or the new one, never a part of one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
