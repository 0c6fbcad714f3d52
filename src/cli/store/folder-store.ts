// A folder on disk as an object store: objects appear whole, are created once, and no symbolic link is followed out of the folder.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, lstat, open, readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { InsituError } from "../../shared/errors.js";
import { makeFolder } from "../make-folder.js";
import { type Content, type ObjectEntry, type ObjectStore, type StoredObject, tooLarge } from "./object-store.js";
import { linkNew, renameOver, writeThrough } from "./publish-file.js";
import { isLeftBehind, isTemporary, temporaryName } from "./temporary-file.js";

type NodeError = NodeJS.ErrnoException;

export class FolderStore implements ObjectStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = resolve(root);
  }

  where(key: string): string {
    return join(this.#root, key);
  }

  async read(key: string, maxBytes: number): Promise<StoredObject | undefined> {
    const path = await this.#safePath(key);
    const found = await lstat(path).catch(nothing);
    if (!found) return undefined;
    if (!found.isFile()) throw notAFile(path);
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((error: NodeError) => {
      if (error.code === "ENOENT") return undefined;
      throw failed("read", path, error);
    });
    if (!file) return undefined;
    try {
      // Of the open file: another may have taken its name since.
      const { size } = await file.stat();
      if (size > maxBytes) throw tooLarge(path, maxBytes);
      const bytes = await file.readFile();
      if (bytes.length > maxBytes) throw tooLarge(path, maxBytes);
      return { bytes, etag: etagOf(bytes) };
    } finally {
      await file.close();
    }
  }

  async create(key: string, content: Content): Promise<boolean> {
    const path = await this.#safePath(key);
    return this.#withTemporary(path, content, (temporary) => linkNew(temporary, path));
  }

  /** Compared before the file is made and again before it takes the name: between these two lies less than a millisecond. */
  async replace(key: string, bytes: Buffer, etag: string | undefined): Promise<boolean> {
    if (etag === undefined) return this.create(key, bytes);
    const path = await this.#safePath(key);
    const isSame = async () => (await this.read(key, Number.MAX_SAFE_INTEGER))?.etag === etag;
    if (!(await isSame())) return false;
    return this.#withTemporary(path, bytes, async (temporary) => {
      if (!(await isSame())) return false;
      await renameOver(temporary, path);
      return true;
    });
  }

  async list(prefix: string): Promise<ObjectEntry[]> {
    const found: ObjectEntry[] = [];
    for (const entry of await this.#entries(prefix)) {
      const key = `${prefix}${entry.name}`;
      if (entry.isDirectory()) found.push(...(await this.list(`${key}/`)));
      else if (entry.isFile() && !isTemporary(entry.name)) {
        const about = await stat(join(this.#root, key)).catch(nothing);
        if (about) found.push({ key, size: about.size, modifiedAt: about.mtimeMs });
      }
    }
    return found;
  }

  async folders(prefix: string): Promise<string[]> {
    const entries = await this.#entries(prefix);
    // A symbolic link is not a directory here: what it leads to is not part of the folder.
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  async remove(key: string): Promise<void> {
    const path = await this.#safePath(key);
    await rm(path, { force: true });
    // The folders that it leaves empty, up to the root.
    for (let folder = dirname(path); folder.length > this.#root.length; folder = dirname(folder)) {
      const isRemoved = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!isRemoved) return;
    }
  }

  async localPath(key: string): Promise<string> {
    const path = await this.#safePath(key);
    const found = await lstat(path).catch(nothing);
    if (found && !found.isFile() && !found.isDirectory()) throw notAFile(path);
    return path;
  }

  async download(key: string, path: string, maxBytes: number): Promise<boolean> {
    const from = await this.localPath(key);
    const found = await lstat(from).catch(nothing);
    if (!found) return false;
    if (found.size > maxBytes) throw tooLarge(from, maxBytes);
    await copyFile(from, path);
    return true;
  }

  async sweep(folder: string, below?: "below"): Promise<void> {
    for (const entry of await this.#entries(folder)) {
      const { name } = entry;
      const path = join(this.#root, folder, name);
      if (await isLeftBehind(name, path)) await rm(path, { force: true });
      else if (below && entry.isDirectory()) await this.sweep(`${folder}${name}/`, below);
    }
  }

  async #entries(prefix: string) {
    const path = await this.#safePath(prefix);
    return readdir(path, { withFileTypes: true }).catch((error: NodeError) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw failed("read", path, error);
    });
  }

  /** The path of a key. Throws `input_invalid` where a folder on the way is a symbolic link: it could lead anywhere. */
  async #safePath(key: string): Promise<string> {
    let path = this.#root;
    const parts = key.split("/").filter((part) => part !== "");
    for (const [index, part] of parts.entries()) {
      if (part === "." || part === "..") throw new Error(`The key ${key} leaves the folder.`);
      path = join(path, part);
      if (index === parts.length - 1 && !key.endsWith("/")) break;
      if ((await lstat(path).catch(nothing))?.isSymbolicLink()) throw notAFile(path);
    }
    return path;
  }

  async #withTemporary(
    path: string,
    content: Content,
    publish: (temporary: string) => Promise<boolean>,
  ): Promise<boolean> {
    await makeFolder(dirname(path));
    const temporary = join(dirname(path), temporaryName());
    try {
      await writeThrough(temporary, content);
      return await publish(temporary);
    } catch (error) {
      throw (error as NodeError).code ? failed("written", path, error as NodeError) : error;
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** Only a missing file is nothing; one that may not be read is a failure. */
function nothing(error: NodeError): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}

const etagOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function notAFile(path: string): InsituError {
  const message = `${path} is a symbolic link or not a file. A registry and a channel's folder hold files of their own only, since a link may lead out of them. Remove it.`;
  return new InsituError("input_invalid", message, { path });
}

function failed(what: "read" | "written", path: string, cause: NodeError): InsituError {
  const advice =
    what === "read" ? "Check that you may read it." : "Check that you may write there, and the free space.";
  return new InsituError(
    "input_invalid",
    `${path} cannot be ${what}: ${cause.message}. ${advice}`,
    { path },
    { cause },
  );
}
