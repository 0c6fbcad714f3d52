// Where a channel's packages are: they are read from there and verified before an arm names them.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { InsituError, isInsituError } from "../../shared/errors.js";
import { pathProblem } from "../../shared/package-path.js";
import type { Manifest } from "../../shared/types/manifest.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "../../worker/package/manifest.js";
import { readText } from "../files.js";
import { makeFolder } from "../make-folder.js";
import { folderOf, type ObjectStore } from "../store/object-store.js";
import { type PackageOnDisk, verifyPackage } from "../verify.js";
import type { ArmPackage } from "./plan.js";

export interface PackageSource {
  /**
   * The package that an option names: a version, a path as channels have it (`./1.1.0/`), or a folder on this disk. Every byte of it is
   * verified. Throws `input_invalid` when there is none, and what `verifyPackage` throws.
   */
  find(given: string): Promise<ArmPackage>;
}

export function armPackage(path: string, { version, name, signatures = [], selfTest = [] }: Manifest): ArmPackage {
  const signedBy = signatures.map(({ keyId }) => keyId);
  return { package: `./${path}/`, version, model: name, signedBy, isTested: selfTest.length > 0 };
}

/** Packages beside the channel file `key` of a store. */
export class StorePackages implements PackageSource {
  readonly #store: ObjectStore;
  readonly #folder: string;

  constructor(store: ObjectStore, key: string) {
    this.#store = store;
    this.#folder = folderOf(key);
  }

  async find(given: string): Promise<ArmPackage> {
    const path = await this.#pathOf(given);
    const { manifest } = await withPackage(this.#store, `${this.#folder}${path}/`, (folder) => verifyPackage(folder));
    return armPackage(path, manifest);
  }

  /** The path below the channel's folder, without a slash at its end. */
  async #pathOf(given: string): Promise<string> {
    const beside = given.replace(/^\.\//, "").replace(/\/+$/, "");
    const isPath = beside !== "" && pathProblem(beside) === undefined;
    if (isPath && (await this.#hasManifest(beside))) return beside;
    const here = await this.#store.localPath(this.#folder);
    const from = here === undefined ? undefined : relative(resolve(here), resolve(given)).split(sep).join("/");
    if (from && !pathProblem(from) && (await this.#hasManifest(from))) return from;
    const folder = this.#store.where(this.#folder);
    const isElsewhere = await stat(join(given, "insitu.json")).catch(() => undefined);
    const message = isElsewhere
      ? `${given} is not in the folder of the channel, ${folder}: browsers load an arm's package from there. Copy it there, or add it with "insitu registry add".`
      : `${given} is not a package in ${folder}. Pass a version or a folder in it with an insitu.json.`;
    throw new InsituError("input_invalid", message, { package: given, folder });
  }

  async #hasManifest(path: string): Promise<boolean> {
    return (await this.#store.read(`${this.#folder}${path}/insitu.json`, MAX_MANIFEST_BYTES)) !== undefined;
  }
}

/** Calls `use` with a folder on this disk that has the package of `prefix`, which is copied where the store is not this disk. */
async function withPackage<T = PackageOnDisk>(
  store: ObjectStore,
  prefix: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const here = await store.localPath(prefix);
  if (here !== undefined) {
    await refuseLinks(store, prefix);
    return use(here);
  }
  const folder = await mkdtemp(join(tmpdir(), "insitu-package-"));
  try {
    await copyPackage((path, to, maxBytes) => store.download(prefix + path, to, maxBytes), folder, store.where(prefix));
    return await namedAs(store.where(prefix), folder, () => use(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A link in a package would be verified as what it leads to, and served or not as the host likes. */
async function refuseLinks(store: ObjectStore, prefix: string): Promise<void> {
  const key = `${prefix}insitu.json`;
  const found = await store.read(key, MAX_MANIFEST_BYTES);
  if (!found) return;
  for (const { path } of parseManifest(found.bytes.toString("utf8"), store.where(key)).files)
    await store.localPath(prefix + path);
}

export type Download = (path: string, to: string, maxBytes: number) => Promise<boolean>;

/**
 * Copies the manifest and the files that it lists, each up to the size that it lists. Throws `model_integrity` for a larger one, before all
 * of it is copied.
 */
export async function copyPackage(download: Download, folder: string, from: string): Promise<void> {
  const manifestPath = join(folder, "insitu.json");
  if (!(await download("insitu.json", manifestPath, MAX_MANIFEST_BYTES)))
    throw new InsituError("input_invalid", `${from} is not a package: it has no insitu.json. Check the address.`);
  const { files } = await namedAs(from, folder, async () => parseManifest(await readText(manifestPath), manifestPath));
  for (const { path, size } of files) {
    await makeFolder(dirname(join(folder, path)));
    await download(path, join(folder, path), size).catch((error: unknown) => {
      if (!isInsituError(error) || error.code !== "model_too_large") throw error;
      const problem = `${path} is larger than the ${size} bytes that it lists`;
      const message = `${from} does not match its manifest: ${problem}. Copy the folder again from where it was packed.`;
      throw new InsituError("model_integrity", message, { folder: from, problems: [problem] }, { cause: error });
    });
  }
}

/** Does `work` on a copy; what it throws names the package that was copied. */
export async function namedAs<T>(from: string, copy: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isInsituError(error) || !error.message.includes(copy)) throw error;
    const message = error.message.replaceAll(copy, from.replace(/[/\\]+$/, ""));
    throw new InsituError(error.code, message, error.data, { cause: error });
  }
}
