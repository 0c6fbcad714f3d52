// Stores the keys that personal models are encrypted with, each in a file that can really be erased.
//
// Databases do not erase: Chromium's LevelDB keeps deleted rows in its log until a compaction, which may never come (measured: they are
// still there after `deleteDatabase` and a restart). So rows are encrypted, and forgetting destroys the key (cryptographic erase, NIST
// SP 800-88 rev. 1, section 2.6). A file in the origin private file system can be overwritten and removed at once.
import { InsituError, isInsituError } from "../../shared/errors.js";
import { randomHex } from "../../shared/hex.js";

export interface KeyStore {
  /** Creates and stores a key under a new id. */
  create(): Promise<{ id: string; key: CryptoKey }>;
  /** Undefined when the key was erased or lost. */
  open(id: string): Promise<CryptoKey | undefined>;
  erase(id: string): Promise<void>;
  /** Erases all keys. */
  eraseAll(): Promise<void>;
}

const KEY_BYTES = 32;

/** Its methods reject with `storage_unavailable` where the browser has no origin private file system. */
export function openKeyStore(storage: string): KeyStore {
  const folder = async () => {
    try {
      const root = await navigator.storage.getDirectory();
      return await root.getDirectoryHandle(`${storage}-keys`, { create: true });
    } catch (cause) {
      const message =
        "Personal models cannot be stored: the browser gives this page no private file system. Open it over https, and not in a private window.";
      throw new InsituError("storage_unavailable", message, { final: true }, { cause });
    }
  };

  const overwrite = async (files: FileSystemDirectoryHandle, id: string) => {
    try {
      await write(await files.getFileHandle(id), new Uint8Array(KEY_BYTES));
    } catch {
      // It is erased already, or another tab is erasing it.
    }
    await files.removeEntry(id).catch(() => undefined);
  };

  return {
    async create() {
      const files = await folder();
      const id = randomHex();
      const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
      await write(await files.getFileHandle(id, { create: true }), bytes);
      return { id, key: await importKey(bytes) };
    },
    async open(id) {
      const files = await folder();
      try {
        const file = await (await files.getFileHandle(id)).getFile();
        const bytes = new Uint8Array(await file.arrayBuffer());
        return bytes.length === KEY_BYTES && bytes.some((byte) => byte !== 0) ? await importKey(bytes) : undefined;
      } catch (error) {
        if (error instanceof Error && error.name === "NotFoundError") return undefined;
        throw error;
      }
    },
    erase: async (id) => overwrite(await folder(), id),
    async eraseAll() {
      const files = await folder();
      const names: string[] = [];
      for await (const name of files.keys()) names.push(name);
      for (const name of names) await overwrite(files, name);
    },
  };
}

async function write(file: FileSystemFileHandle, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const access = await file.createSyncAccessHandle();
  try {
    access.write(bytes, { at: 0 });
    access.flush();
  } finally {
    access.close();
  }
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

export interface FallbackKeyStore extends KeyStore {
  /** Why keys are lost when the worker ends; undefined while they are stored. */
  problem(): InsituError | undefined;
}

/** Keeps keys in memory where the browser cannot store them. */
export function createFallbackKeyStore(files: KeyStore): FallbackKeyStore {
  const keys = new Map<string, CryptoKey>();
  let problem: InsituError | undefined;
  return {
    problem: () => problem,
    async create() {
      try {
        return await files.create();
      } catch (error) {
        if (!isInsituError(error) || !error.data.final) throw error;
        problem = error;
        const id = `memory-${crypto.randomUUID()}`;
        const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
        keys.set(id, key);
        return { id, key };
      }
    },
    open: async (id) => keys.get(id) ?? (problem || id.startsWith("memory-") ? undefined : files.open(id)),
    async erase(id) {
      if (!keys.delete(id) && !problem) await files.erase(id);
    },
    async eraseAll() {
      keys.clear();
      if (!problem) await files.eraseAll();
    },
  };
}
