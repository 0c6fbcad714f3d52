// Adds a package to a registry: its version is claimed for these bytes first, its manifest is written last.
import { copyFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Manifest } from "../../shared/types/manifest.js";
import { copyPackage, namedAs } from "../channel/package-source.js";
import { fileProblem } from "../files.js";
import { type Content, type ObjectStore, tooLarge } from "../store/object-store.js";
import { verifyPackage, verifyTrust } from "../verify.js";
import { type WhoOptions, whoAndWhy } from "../who.js";
import { manifestHash, readAddition, recordBytes } from "./additions.js";
import { additionKey, checkFilePaths, checkModelName, checkVersion, refuse, versionFolder } from "./layout.js";
import { checkSameManifest } from "./same-manifest.js";

export interface AddOptions extends WhoOptions {
  /** Paths of key files; at least `threshold` of them must have signed the package. */
  key?: string[];
  threshold?: number;
}

export interface AddedVersion {
  manifest: Manifest;
  digest: string;
  /** False when the same package was there before. */
  isNew: boolean;
}

/**
 * Copies the package in `folder`. A version stands for one package for ever: other bytes under it are refused with `input_invalid`. An
 * addition that was cut off is completed by the next with the same package. Throws what `verifyPackage` throws.
 */
export async function addPackage(registry: ObjectStore, folder: string, options: AddOptions): Promise<AddedVersion> {
  const copy = await mkdtemp(join(tmpdir(), "insitu-add-"));
  try {
    // What is verified is what is added, also when somebody packs into the folder meanwhile.
    await copyPackage((path, to, max) => copyOne(join(folder, path), to, max), copy, folder);
    const { text, manifest, digest } = await namedAs(folder, copy, () => verified(copy, options));
    checkModelName(manifest.name);
    checkVersion(manifest.version);
    checkFilePaths(manifest.files.map(({ path }) => path));
    await checkCase(registry, manifest);
    await claim(registry, manifest, manifestHash(text), options);
    return { manifest, digest, isNew: await writeFiles(registry, manifest, copy) };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function verified(folder: string, { key = [], threshold }: AddOptions) {
  return key.length > 0 ? verifyTrust(folder, key, threshold) : verifyPackage(folder);
}

async function copyOne(from: string, to: string, maxBytes: number): Promise<boolean> {
  const found = await stat(from).catch(() => undefined);
  if (!found?.isFile()) return false;
  if (found.size > maxBytes) throw tooLarge(from, maxBytes);
  await copyFile(from, to);
  return true;
}

/** Two names that differ in capitals only are one folder on some disks. */
async function checkCase(registry: ObjectStore, { name, version }: Manifest): Promise<void> {
  const other = (names: string[], name: string) =>
    names.find((one) => one !== name && one.toLowerCase() === name.toLowerCase());
  const model = other(await registry.folders(""), name);
  if (model)
    refuse(
      `The registry has the model ${model}: ${name} would be the same folder where capitals do not count. Use that name.`,
    );
  const taken = other(await registry.folders(`${name}/`), version);
  if (taken)
    refuse(
      `The registry has the version ${taken}: ${version} would be the same folder where capitals do not count. Use another.`,
    );
}

/** Only one package can claim a version, however many try at once. */
async function claim(
  registry: ObjectStore,
  { name, version }: Manifest,
  manifest: string,
  options: AddOptions,
): Promise<void> {
  const record = { version, manifest, at: new Date().toISOString(), ...(await whoAndWhy(options)) };
  const key = additionKey(name, version);
  if (await registry.create(key, recordBytes(record))) return;
  const there = await readAddition(registry, name, version);
  if (!there)
    refuse(
      `${registry.where(key)} is damaged, so that it cannot be told which package ${name} ${version} is. Restore it from a backup, or remove it.`,
    );
  if (there.manifest === manifest) return;
  const message = `${name} ${version} was added by ${there.by} on ${there.at} with other bytes, and a version never changes: browsers keep it. Pack with a higher --version (sign before you add: a signature is part of the bytes).`;
  refuse(message, { name, version });
}

/** Returns false when all of it was there. */
async function writeFiles(registry: ObjectStore, { name, version, files }: Manifest, copy: string): Promise<boolean> {
  const prefix = versionFolder(name, version);
  for (const file of files) {
    const content: Content = { file: join(copy, file.path), size: file.size };
    if (await registry.create(prefix + file.path, content)) continue;
    const problem = await existingProblem(registry, prefix, file);
    if (problem)
      refuse(
        `${registry.where(prefix)} holds another file: ${problem}. Remove that folder, and add the package again.`,
      );
  }
  const key = `${prefix}insitu.json`;
  const manifest = await readFile(join(copy, "insitu.json"));
  while (!(await registry.create(key, manifest))) {
    if (await checkSameManifest(registry, key, manifest)) return false;
    // It was removed in between.
  }
  return true;
}

async function existingProblem(registry: ObjectStore, prefix: string, file: Manifest["files"][number]) {
  const here = await registry.localPath(prefix + file.path);
  if (here !== undefined) return fileProblem(here, file);
  const folder = await mkdtemp(join(tmpdir(), "insitu-check-"));
  try {
    const path = join(folder, "file");
    return (await registry.download(prefix + file.path, path, file.size)) ? fileProblem(path, file) : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
