// Writes a file beside its place and gives it its name in one step: a new name fails where it exists, a rename replaces.
import { constants } from "node:fs";
import { copyFile, link, open, rename } from "node:fs/promises";
import type { Content } from "./object-store.js";

type NodeError = NodeJS.ErrnoException;

// Windows refuses to replace a file while a virus scanner or a reader has it open.
const RENAME_TRIES = 10;
const RENAME_PAUSE = 20;
// File systems without hard links: exFAT, some network drives.
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"];

/** On the disk before it gets its name: after a loss of power the name must not stand for an empty file. */
export async function writeThrough(path: string, content: Content): Promise<void> {
  if (!Buffer.isBuffer(content)) await copyFile(content.file, path);
  const file = await open(path, Buffer.isBuffer(content) ? "wx" : "r+");
  try {
    if (Buffer.isBuffer(content)) await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives the file its name if nobody has it: a hard link fails where a name exists, a rename would replace it. */
export async function linkNew(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const { code = "" } = error as NodeError;
    if (code === "EEXIST") return false;
    if (!NO_LINKS.includes(code)) throw error;
  }
  try {
    await copyFile(temporary, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeError).code === "EEXIST") return false;
    throw error;
  }
}

export async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(from, to);
    } catch (error) {
      const isBusy = ["EPERM", "EACCES", "EBUSY"].includes((error as NodeError).code ?? "");
      if (process.platform !== "win32" || !isBusy || attempt === RENAME_TRIES) throw error;
      await new Promise((done) => setTimeout(done, RENAME_PAUSE * attempt));
    }
  }
}
