// Finds a program by its names in PATH, or at known places.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The first that exists: `names` in the folders of PATH, then `places`. */
export function findProgram(names: readonly string[], places: readonly string[] = []): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const inPath = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...inPath, ...places].find((path) => existsSync(path));
}
