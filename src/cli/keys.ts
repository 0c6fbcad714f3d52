// Creates Ed25519 key pairs and reads the key files that `insitu keygen` writes.
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { InsituError } from "../shared/errors.js";
import { isObject } from "../shared/json-fields.js";
import type { TrustedKey } from "../shared/types/model.js";
import { ALGORITHM } from "../worker/package/trust.js";
import { readJsonFile } from "./files.js";

/** The content of a key file; the public one has no `privateKey`. */
export interface KeyFile extends TrustedKey {
  algorithm: typeof ALGORITHM;
  /** Base64 of PKCS #8. */
  privateKey?: string;
}

const MAX_ID = 200;

const base64 = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString("base64");

/**
 * Writes the key pair to `out`, readable by its owner only, and the public key beside it, as `….public.json`. Throws
 * `input_invalid` if a file exists: a key that was overwritten cannot sign the next release.
 */
export async function makeKey(out: string, id?: string): Promise<{ key: TrustedKey; publicPath: string }> {
  if (id === "")
    throw new InsituError(
      "input_invalid",
      "--id is empty. Pass a name for the key, or omit --id to use the hash of the public key.",
    );
  // It stands in every signed file, and in what is printed about it.
  if (id !== undefined && (id.length > MAX_ID || /\p{Cc}/u.test(id)))
    throw new InsituError(
      "input_invalid",
      `--id has more than ${MAX_ID} characters, or a line break or another control character. Pass a short name.`,
    );
  const pair = (await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
  const publicBytes = await crypto.subtle.exportKey("raw", pair.publicKey);
  const publicKey = base64(publicBytes);
  const privateKey = base64(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const key = { id: id ?? createHash("sha256").update(Buffer.from(publicBytes)).digest("hex").slice(0, 16), publicKey };
  const publicPath = `${out.replace(/\.json$/, "")}.public.json`;
  await writeNew(publicPath, { ...key, algorithm: ALGORITHM }, 0o644);
  try {
    await writeNew(out, { ...key, algorithm: ALGORITHM, privateKey }, 0o600);
  } catch (error) {
    await rm(publicPath, { force: true });
    throw error;
  }
  return { key, publicPath };
}

async function writeNew(path: string, content: KeyFile, mode: number): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { mode, flag: "wx" });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const why = exists
      ? "already exists, and keys are never overwritten"
      : `cannot be written: ${(cause as Error).message}`;
    throw new InsituError("input_invalid", `${path} ${why}. Pass another path to --out.`, { path }, { cause });
  }
}

/** Reads a private or a public key file. Throws `input_invalid`. */
export async function readKey(path: string): Promise<KeyFile> {
  const value = await readJsonFile(path);
  const refuse = (problem: string): never => {
    throw new InsituError("input_invalid", `${path} is not a key file: ${problem}. Create one with "insitu keygen".`, {
      path,
    });
  };
  if (!isObject(value)) return refuse("its content is not a JSON object");
  const { id, algorithm, publicKey, privateKey } = value;
  if (typeof id !== "string" || id === "") return refuse("it has no id");
  if (algorithm !== ALGORITHM) return refuse(`its algorithm is ${JSON.stringify(algorithm)}, not "${ALGORITHM}"`);
  if (typeof publicKey !== "string" || !isRawKey(publicKey)) return refuse("publicKey is not base64 of 32 bytes");
  if (privateKey !== undefined && typeof privateKey !== "string") return refuse("privateKey is not a string");
  return { id, algorithm, publicKey, ...(privateKey !== undefined && { privateKey }) };
}

/** Stricter than Node's decoder, which accepts text that browsers refuse; also, one key in two encodings would count as two. */
function isRawKey(text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 32 && bytes.toString("base64") === text;
}
