// The repository's folder, for the checks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Whether a path relative to the repository exists. */
export function exists(path: string): boolean {
  return existsSync(join(ROOT, path));
}
