// What a place for packages and channels must do: read, create, replace under a condition, list and remove objects by key.
import { InsituError } from "../../shared/errors.js";

export interface StoredObject {
  bytes: Buffer;
  /** Changes with the content. */
  etag: string;
}

export interface ObjectEntry {
  key: string;
  /** Bytes. */
  size: number;
  /** Epoch milliseconds. */
  modifiedAt: number;
}

/** Content to write: bytes, or a file on disk. */
export type Content = Buffer | { file: string; size: number };

/**
 * A folder on disk or a bucket. Keys are relative, with `/` between their parts. Nobody but the conditions protects one writer from
 * another: an object is created once, and replaced only by who has read what is there.
 */
export interface ObjectStore {
  /** The path or the address of the object `key`, for messages. */
  where(key: string): string;
  /** Undefined when there is none. Throws `model_too_large` above `maxBytes`. */
  read(key: string, maxBytes: number): Promise<StoredObject | undefined>;
  /** Returns false when the object exists, which is then left as it is. A reader sees all of the object or nothing. */
  create(key: string, content: Content): Promise<boolean>;
  /** Returns false when the object is not the one that had `etag` any more; undefined stands for no object. */
  replace(key: string, bytes: Buffer, etag: string | undefined): Promise<boolean>;
  /** All objects whose key begins with `prefix`, which is empty or ends with a slash; what is being written is left out. */
  list(prefix: string): Promise<ObjectEntry[]>;
  /** The names of the folders directly below `prefix`. */
  folders(prefix: string): Promise<string[]>;
  remove(key: string): Promise<void>;
  /** The path of the object on this disk; undefined where it must be copied to one. Throws `input_invalid` for what is not a file. */
  localPath(key: string): Promise<string | undefined>;
  /** Copies the object to a new file. Returns false when there is none; throws `model_too_large` above `maxBytes`. */
  download(key: string, path: string, maxBytes: number): Promise<boolean>;
  /** Removes what writers that were killed left behind in `folder`, which is empty or ends with a slash; with "below" also in its folders. */
  sweep(folder: string, below?: "below"): Promise<void>;
}

export function tooLarge(where: string, maxBytes: number): InsituError {
  const message = `${where} is larger than ${maxBytes} bytes, the maximum for this file. It was not written by insitu: remove it, or restore it from a backup.`;
  return new InsituError("model_too_large", message, { url: where, max: maxBytes });
}

/** The folder of a key with a slash at its end; empty for a key without a folder. */
export const folderOf = (key: string): string => key.slice(0, key.lastIndexOf("/") + 1);

/** The last part of a key. */
export const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1);
