// Opens the store that an argument names: a folder, a file: address, or s3://bucket/prefix.
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { InsituError } from "../../shared/errors.js";
import { FolderStore } from "./folder-store.js";
import type { ObjectStore } from "./object-store.js";

/** Throws `input_invalid` for an address of another kind. */
export async function openStore(location: string): Promise<ObjectStore> {
  if (/^s3:/i.test(location)) return (await import("./s3-store.js")).openS3(location);
  if (/^file:/i.test(location)) return new FolderStore(fileURLToPath(location));
  // A letter and a colon is a disk of Windows.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1];
  if (scheme === undefined) return new FolderStore(location);
  const message = `${location} cannot be opened: ${scheme}: is not a kind of store. Pass a folder, a file: address or s3://bucket/prefix.`;
  throw new InsituError("input_invalid", message, { location });
}

/** The same for reading. Throws `input_invalid` for a folder that is not there: its address is a slip, and it would look empty. */
export async function openExisting(location: string): Promise<ObjectStore> {
  const store = await openStore(location);
  if (!(store instanceof FolderStore)) return store;
  const path = store.where("");
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return store;
  const problem = found ? "is not a folder" : "does not exist";
  throw new InsituError("input_invalid", `${path} ${problem}. Check the path.`, { path });
}
