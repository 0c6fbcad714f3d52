// Checks a package on disk as a page does: the manifest, every byte of every file, and the model against the manifest.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { InsituError, isInsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { digestOf } from "../worker/package/canonical-json.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "../worker/package/manifest.js";
import { type ModelJson, parseModelJson } from "../worker/package/topology.js";
import { checkExpiry, checkSignatures } from "../worker/package/trust.js";
import { fileProblem, readText } from "./files.js";
import { type KeyFile, readKey } from "./keys.js";
import { readPlans } from "./plans.js";
import { readSelfTests } from "./self-tests.js";

export interface PackageOnDisk {
  /** The manifest's text. */
  text: string;
  manifest: Manifest;
  digest: string;
  model: ModelJson;
}

export interface TrustedPackage extends PackageOnDisk {
  /** Ids of the given keys with a valid signature: at least as many as the threshold. */
  signers: string[];
}

/** Reads manifest and model without hashing the files. Throws `model_format`, `model_too_large` or `input_invalid`. */
export async function readPackage(folder: string): Promise<PackageOnDisk> {
  const { text, manifest } = await readManifest(folder);
  const path = manifest.files.find((file) => file.path.endsWith(".json"))?.path;
  if (!path) {
    const message = `The manifest of ${folder} lists no .json file that could be the model. Pack the model again.`;
    throw new InsituError("model_format", message, { url: folder, field: "files" });
  }
  const model = parseModelJson(await readText(join(folder, path)), manifest, join(folder, path));
  return { text, manifest, digest: await digestOf(text), model };
}

/** Checks the size and hashes of each file, then reads the package. Throws `model_integrity` that lists every file that differs. */
export async function verifyPackage(folder: string): Promise<PackageOnDisk> {
  const { manifest } = await readManifest(folder);
  const problems: string[] = [];
  for (const file of manifest.files) {
    const problem = await fileProblem(join(folder, file.path), file);
    if (problem) problems.push(problem);
  }
  if (problems.length > 0) {
    const message = `${folder} does not match its manifest: ${problems.join("; ")}. Copy the folder again from where it was packed.`;
    throw new InsituError("model_integrity", message, { folder, problems });
  }
  const found = await readPackage(folder);
  await readSelfTests(found.manifest, folder);
  await readPlans(found.manifest, folder);
  return found;
}

/**
 * Does {@link verifyPackage}, then checks that at least `threshold` of the keys signed the package and that it has not expired.
 * Throws what a page throws: `model_signature` or `model_expired`.
 */
export async function verifyTrust(folder: string, keyPaths: string[], threshold = 1): Promise<TrustedPackage> {
  const keys: KeyFile[] = [];
  for (const path of keyPaths) keys.push(await readKey(path));
  const duplicate = keys.find(({ id }, index) => keys.findIndex((key) => key.id === id) < index);
  if (duplicate) {
    // A signature names its key by id only, so only one of the two would be used. A page refuses this too.
    const message = `Two of the keys have the id ${duplicate.id}. Pass one --key for each id.`;
    throw new InsituError("input_invalid", message, { keyId: duplicate.id });
  }
  if (threshold > keys.length) {
    const message = `--threshold is ${threshold}, but only ${keys.length} keys were given. Pass --key once for each key.`;
    throw new InsituError("input_invalid", message, { threshold, keys: keys.length });
  }
  const found = await verifyPackage(folder);
  await checkSignatures(found.text, found.manifest, { keys, threshold }, folder);
  checkExpiry(found.manifest, Date.now(), folder);
  const signers: string[] = [];
  for (const key of keys) if (await hasSigned(key, found, folder)) signers.push(key.id);
  return { ...found, signers };
}

async function hasSigned(key: KeyFile, { text, manifest }: PackageOnDisk, folder: string): Promise<boolean> {
  try {
    await checkSignatures(text, manifest, { keys: [key] }, folder);
    return true;
  } catch (error) {
    if (isInsituError(error) && error.code === "model_signature") return false;
    throw error;
  }
}

async function readManifest(folder: string): Promise<{ text: string; manifest: Manifest }> {
  const path = join(folder, "insitu.json");
  const found = await stat(path).catch(() => undefined);
  if (!found) {
    const message = `${folder} is not a package: it has no insitu.json. Create a package with "insitu pack".`;
    throw new InsituError("input_invalid", message, { folder });
  }
  // Checked before reading: a file that is not a manifest may have any size.
  if (found.size > MAX_MANIFEST_BYTES) {
    const message = `${path} is larger than 1 MiB, the maximum for a manifest. Pack the model again.`;
    throw new InsituError("model_too_large", message);
  }
  const text = await readText(path);
  return { text, manifest: parseManifest(text, path) };
}
