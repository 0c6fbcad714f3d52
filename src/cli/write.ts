// Writes a package's files into its folder, and removes those of the package that was there.
import { copyFile, mkdir, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { parseManifest } from "../worker/package/manifest.js";
import { readText } from "./files.js";

/** A package that is to be written. */
export interface Draft {
  /** The manifest's own. */
  text: string;
  manifest: Manifest;
  /** Folder of the files that the manifest lists, but for these texts. */
  from: string;
  texts: { path: string; text: string }[];
}

/** `insitu.json` comes last: a folder without it is no package yet. Throws `input_invalid` where strangers' files are. */
export async function writePackage({ text, manifest, from, texts }: Draft, out: string, force = false): Promise<void> {
  const path = join(out, "insitu.json");
  const names = manifest.files.map((file) => file.path);
  const old = await listedBefore(path);
  if (!force) await checkOut(out, [...names, ...old, "insitu.json"]);
  await rm(path, { force: true });
  const copied = names.filter((name) => !texts.some((file) => file.path === name));
  for (const name of copied) {
    await mkdir(dirname(join(out, name)), { recursive: true });
    // A model may be packed where it lies; copying a file onto itself would empty it.
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

/** Files of the package that is there now; a manifest that cannot be read lists none. */
async function listedBefore(path: string): Promise<string[]> {
  try {
    return parseManifest(await readText(path), path).files.map((file) => file.path);
  } catch {
    return [];
  }
}

async function checkOut(out: string, known: string[]): Promise<void> {
  const entries = await readdir(out, { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new InsituError(
      "input_invalid",
      `${out} cannot be written to: ${error.message}. Choose another --out.`,
      {},
      { cause: error },
    );
  });
  const allowed = new Set(known.map((name) => join(out, name)));
  const strangers = entries.filter((entry) => !entry.isDirectory() && !allowed.has(join(entry.parentPath, entry.name)));
  const [first] = strangers;
  if (!first) return;
  const message = `${out} holds files that are no part of a package, such as ${first.name}. Choose another --out, or pass --force to write beside them.`;
  throw new InsituError("input_invalid", message, { out, files: strangers.length });
}
