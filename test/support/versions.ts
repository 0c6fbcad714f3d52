// Versions of the model digits: real packages that differ in version and figures, for channels and registries.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DIGITS = fileURLToPath(new URL("../../models/digits/package", import.meta.url));

export interface VersionChanges {
  name?: string;
  metrics?: Record<string, number>;
  [field: string]: unknown;
}

/** Writes the package to `folder/version` and returns that path. */
export function writeVersion(folder: string, version: string, changes: VersionChanges = {}): string {
  const path = join(folder, version);
  cpSync(DIGITS, path, { recursive: true });
  const file = join(path, "insitu.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...manifest, version, ...changes }, null, 2));
  return path;
}

export const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
