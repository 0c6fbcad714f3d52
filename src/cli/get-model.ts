// Copies a ready model package, with its licence, out of the npm package insitu-models.
import { cp, readdir, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import { type PackageOnDisk, verifyPackage } from "./verify.js";

const NPM_PACKAGE = "insitu-models";

export interface GottenModel extends PackageOnDisk {
  /** Where it lies now. */
  folder: string;
  /** False if the same package was there before. */
  isNew: boolean;
}

/**
 * Copies the package `name` to a folder of that name in `out`, and checks the copy. Throws `input_invalid` when insitu-models is not
 * installed, has no such model, or the folder holds something else and `force` is not set.
 */
export async function getModel(name: string, out: string, force = false): Promise<GottenModel> {
  const home = findModels();
  const names = await modelNames(home);
  if (!names.includes(name)) {
    const message = `${NPM_PACKAGE} has no model ${name}. Choose from ${names.join(", ")}.`;
    throw new InsituError("input_invalid", message, { name });
  }
  const from = join(home, name, "package");
  const { digest } = await verifyPackage(from);
  const folder = join(out, name);
  const present = await verifyPackage(folder).catch(() => undefined);
  if (present?.digest === digest) return { ...present, folder, isNew: false };
  if (await isOccupied(folder)) {
    if (!force) {
      const message = `${folder} holds something else. Name another --out, or replace it with --force.`;
      throw new InsituError("input_invalid", message, { folder });
    }
    await rm(folder, { recursive: true });
  }
  await cp(from, folder, { recursive: true });
  await cp(join(home, name, "LICENSE.txt"), join(folder, "LICENSE.txt"));
  return { ...(await verifyPackage(folder)), folder, isNew: true };
}

/** The folder of insitu-models, as installed in the app or beside this command (`npx -p insitu -p insitu-models`). */
function findModels(): string {
  for (const base of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return dirname(createRequire(base).resolve(`${NPM_PACKAGE}/package.json`));
    } catch {
      // Looked for in the next place.
    }
  }
  const message = `The npm package ${NPM_PACKAGE}, which holds the models, is not installed here. Run: npm install --save-dev ${NPM_PACKAGE}`;
  throw new InsituError("input_invalid", message);
}

async function modelNames(home: string): Promise<string[]> {
  const entries = await readdir(home, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found = await Promise.all(
    folders.map((name) => stat(join(home, name, "package/insitu.json")).catch(() => undefined)),
  );
  return folders.filter((_, index) => found[index]).sort();
}

async function isOccupied(folder: string): Promise<boolean> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? [] : [""]));
  return entries.length > 0;
}
