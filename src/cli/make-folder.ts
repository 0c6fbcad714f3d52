// Creates a folder with those above it.
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InsituError } from "../shared/errors.js";

/**
 * Level by level: Node's `recursive` never ends where a folder exists in which none can be made, such as /proc. Throws `input_invalid`
 * when a folder cannot be created.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing: string[] = [];
  let level = resolve(folder);
  for (; dirname(level) !== level; level = dirname(level)) {
    const found = await stat(level).catch(() => undefined);
    if (found?.isDirectory()) break;
    if (found) throw new InsituError("input_invalid", `${level} is a file. Name another folder.`, { folder });
    missing.unshift(level);
  }
  for (const path of missing) {
    await mkdir(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "EEXIST") return;
      const message = `The folder ${path} cannot be created: ${cause.message}. Name a folder that you may write.`;
      throw new InsituError("input_invalid", message, { folder }, { cause });
    });
  }
}
