// Checks a package on disk as a page would: the manifest, each byte of each file, and the model against the manifest.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { InsituError } from "../errors.js";
import { digestOf, MAX_MANIFEST_BYTES, parseManifest } from "../model/manifest.js";
import { type ModelJson, parseModelJson } from "../model/topology.js";
import type { Manifest } from "../types.js";
import { fileProblem, readText } from "./files.js";

export interface PackageOnDisk {
  manifest: Manifest;
  digest: string;
  model: ModelJson;
}

/** Reads manifest and model without hashing the files. Throws `model_format`, `model_too_large` or `input_invalid`. */
export async function readPackage(folder: string): Promise<PackageOnDisk> {
  const manifest = await readManifest(folder);
  const path = manifest.files.find((file) => file.path.endsWith(".json"))?.path;
  if (!path)
    throw new InsituError("model_format", `${folder} lists no .json file that could be the model.`, {
      url: folder,
      field: "files",
    });
  const model = parseModelJson(await readText(join(folder, path)), manifest, join(folder, path));
  return { manifest, digest: await digestOf(manifest), model };
}

/** {@link readPackage}, after each file's size and hashes were found right; throws `model_integrity` that names all that are not. */
export async function verifyPackage(folder: string): Promise<PackageOnDisk> {
  const manifest = await readManifest(folder);
  const problems: string[] = [];
  for (const file of manifest.files) {
    const problem = await fileProblem(join(folder, file.path), file);
    if (problem) problems.push(problem);
  }
  if (problems.length > 0) {
    const message = `${folder} is not the package that its manifest describes: ${problems.join("; ")}. Copy it again from where it was packed.`;
    throw new InsituError("model_integrity", message, { folder, problems });
  }
  return readPackage(folder);
}

async function readManifest(folder: string): Promise<Manifest> {
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
  return parseManifest(await readText(path), path);
}
