// Checks a package on disk as a page would: the manifest, each byte of each file, and the model against the manifest.
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
import { readSelfTests } from "./self-tests.js";

export interface PackageOnDisk {
  /** The manifest's own. */
  text: string;
  manifest: Manifest;
  digest: string;
  model: ModelJson;
}

export interface TrustedPackage extends PackageOnDisk {
  /** Ids of the given keys that signed it: at least as many as the threshold. */
  signers: string[];
}

/** Reads manifest and model without hashing the files. Throws `model_format`, `model_too_large` or `input_invalid`. */
export async function readPackage(folder: string): Promise<PackageOnDisk> {
  const { text, manifest } = await readManifest(folder);
  const path = manifest.files.find((file) => file.path.endsWith(".json"))?.path;
  if (!path)
    throw new InsituError("model_format", `${folder} lists no .json file that could be the model.`, {
      url: folder,
      field: "files",
    });
  const model = parseModelJson(await readText(join(folder, path)), manifest, join(folder, path));
  return { text, manifest, digest: await digestOf(text), model };
}

/** {@link readPackage}, after each file's size and hashes were found right; throws `model_integrity` that names all that are not. */
export async function verifyPackage(folder: string): Promise<PackageOnDisk> {
  const { manifest } = await readManifest(folder);
  const problems: string[] = [];
  for (const file of manifest.files) {
    const problem = await fileProblem(join(folder, file.path), file);
    if (problem) problems.push(problem);
  }
  if (problems.length > 0) {
    const message = `${folder} is not the package that its manifest describes: ${problems.join("; ")}. Copy it again from where it was packed.`;
    throw new InsituError("model_integrity", message, { folder, problems });
  }
  const found = await readPackage(folder);
  await readSelfTests(found.manifest, folder);
  return found;
}

/**
 * {@link verifyPackage}, and that enough of the keys in these files signed it, and that its time is not over. Throws what a page
 * would: `model_signature` or `model_expired`.
 */
export async function verifyTrust(folder: string, keyPaths: string[], threshold = 1): Promise<TrustedPackage> {
  const keys: KeyFile[] = [];
  for (const path of keyPaths) keys.push(await readKey(path));
  const twice = keys.find(({ id }, index) => keys.findIndex((key) => key.id === id) < index);
  if (twice) {
    // A signature names its key by the id alone, so only one of the two would ever be asked; a page refuses this too.
    const message = `Two of the keys have the id ${twice.id}. Pass one --key for each id.`;
    throw new InsituError("input_invalid", message, { keyId: twice.id });
  }
  if (threshold > keys.length) {
    const message = `--threshold is ${threshold}, but ${keys.length} keys were given. Pass a --key for each.`;
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
  if (!found)
    throw new InsituError(
      "input_invalid",
      `${folder} is no package: it has no insitu.json. Make one with "insitu pack".`,
      { folder },
    );
  // Looked at before it is read: a file that is no manifest may be of any size.
  if (found.size > MAX_MANIFEST_BYTES)
    throw new InsituError("model_too_large", `${path} is larger than 1 MiB, the most a manifest may have.`);
  const text = await readText(path);
  return { text, manifest: parseManifest(text, path) };
}
