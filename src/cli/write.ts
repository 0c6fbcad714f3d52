// Writes a package's files into its folder and removes the files of the package that was there before.
import { copyFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { parseManifest } from "../worker/package/manifest.js";
import { fileProblem, readText } from "./files.js";
import { makeFolder } from "./make-folder.js";

/** A package to write. */
export interface Draft {
  /** The manifest's text. */
  text: string;
  manifest: Manifest;
  /** Folder of the files that the manifest lists, except `texts`. */
  from: string;
  texts: { path: string; text: string }[];
}

/** Writes `insitu.json` last: a folder without it is not a package. Throws `input_invalid` if the folder holds other files. */
export async function writePackage({ text, manifest, from, texts }: Draft, out: string, force = false): Promise<void> {
  const path = join(out, "insitu.json");
  const names = manifest.files.map((file) => file.path);
  const old = await previousFiles(path);
  if (!force) await checkOut(out, [...old, ...(await ownFiles(manifest, from, out)), "insitu.json"]);
  await rm(path, { force: true });
  const copied = names.filter((name) => !texts.some((file) => file.path === name));
  for (const name of copied) {
    await makeFolder(dirname(join(out, name)));
    // A model may be packed into its own folder; copying a file onto itself would empty it.
    const [source, target] = await Promise.all([
      realpath(join(from, name)),
      realpath(join(out, name)).catch(() => undefined),
    ]);
    if (source !== target) await copyFile(source, join(out, name));
  }
  for (const file of texts) await writeFile(join(out, file.path), file.text);
  for (const name of old) if (!names.includes(name)) await rm(join(out, name), { force: true });
  await writeFile(path, text);
}

/** Files of the package that is there now; none if its manifest cannot be read. */
async function previousFiles(path: string): Promise<string[]> {
  try {
    return parseManifest(await readText(path), path).files.map((file) => file.path);
  } catch {
    return [];
  }
}

/** Files of the new package that are there already: where a model is packed into its own folder, or a write was broken off. */
async function ownFiles({ files }: Manifest, from: string, out: string): Promise<string[]> {
  if (resolve(from) === resolve(out)) return files.map(({ path }) => path);
  const found = await Promise.all(
    files.map(async (file) => !(await fileProblem(join(out, file.path), file)) && file.path),
  );
  return found.filter((path) => path !== false);
}

async function checkOut(out: string, known: string[]): Promise<void> {
  const allowed = new Set(known.map((name) => join(out, name)));
  const othersIn = async (recursive: boolean) => {
    const entries = await readdir(out, { recursive, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      const message = `${out} cannot be read: ${error.message}. Pass another folder to --out.`;
      throw new InsituError("input_invalid", message, { out }, { cause: error });
    });
    return entries.filter((entry) => !entry.isDirectory() && !allowed.has(join(entry.parentPath, entry.name)));
  };
  // The folder itself first: all of a disk takes minutes to read.
  const top = await othersIn(false);
  const others = top.length > 0 ? top : await othersIn(true);
  const [first] = others;
  if (!first) return;
  const message = `${out} holds files that do not belong to a package, such as ${first.name}. Pass another folder to --out, or --force to write beside them.`;
  throw new InsituError("input_invalid", message, { out, files: others.length });
}
