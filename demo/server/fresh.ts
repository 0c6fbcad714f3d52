// Checks which build outputs are missing or older than their sources.
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

export interface Part {
  name: string;
  /** Files that the build creates. */
  outputs: string[];
  /** Files and folders from which it is built. */
  sources: string[];
  /** The npm script that builds it, with its arguments. */
  command: string[];
}

/** Modification times of a file, or of all files below a folder except built and installed ones. */
function times(path: string): number[] {
  if (!existsSync(path)) return [];
  const found = statSync(path);
  if (!found.isDirectory()) return [found.mtimeMs];
  return readdirSync(path)
    .filter((name) => name !== "dist" && name !== "node_modules" && name !== "package")
    .flatMap((name) => times(join(path, name)));
}

/** Returns why a part must be built, or null if it exists and is newer than its sources. */
export function whyBuild(part: Part, root: string): "missing" | "changed" | null {
  const outputs = part.outputs.map((path) => join(root, path));
  if (!outputs.every((path) => existsSync(path))) return "missing";
  const oldest = Math.min(...outputs.flatMap(times));
  const newest = Math.max(0, ...part.sources.flatMap((path) => times(join(root, path))));
  return newest > oldest ? "changed" : null;
}

/** A build that found nothing to do keeps its outputs' old times, and would run again at each start. */
export function markBuilt(part: Part, root: string): void {
  const now = new Date();
  for (const path of part.outputs) if (existsSync(join(root, path))) utimesSync(join(root, path), now, now);
}
