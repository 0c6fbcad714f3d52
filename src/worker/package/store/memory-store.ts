// The store of a page that has no working IndexedDB: the same promises, as long as the worker lives and not longer than needed.
import { InsituError } from "../../../shared/errors.js";
import { sha256 } from "../../../shared/sha256.js";
import type { ReleaseFloor } from "../trust.js";
import { bytesOf } from "./eviction.js";
import type { PackageRow, Store } from "./store.js";

/** Chunks are kept until their model runs, as Blobs, which the browser may hold outside of this process or on disk. */
export function createMemoryStore(): Store {
  const rows = new Map<string, PackageRow>();
  const floors = new Map<string, ReleaseFloor>();
  const chunks = new Map<string, Blob>();
  /** Hashes of the downloads that have begun, by address. */
  const pending = new Map<string, Set<string>>();
  const notes = new Map<string, unknown>();
  /** Frees the chunks that neither a package nor a download has. */
  const sweep = () => {
    const kept = new Set([...pending.values()].flatMap((hashes) => [...hashes]));
    for (const row of rows.values()) for (const { sha256: hash } of row.chunks) kept.add(hash);
    for (const hash of chunks.keys()) if (!kept.has(hash)) chunks.delete(hash);
  };
  return {
    versions: async (url) => [...rows.values()].filter((row) => row.url === url),
    floor: async (url) => floors.get(url),
    has: async (hashes) => new Set(hashes.filter((hash) => chunks.has(hash))),
    async read({ sha256: hash }) {
      const bytes = await chunks.get(hash)?.arrayBuffer();
      if (!bytes) return "missing";
      return (await sha256(bytes)) === hash ? bytes : "corrupt";
    },
    async begin(row) {
      pending.set(row.url, new Set(row.chunks.map((chunk) => chunk.sha256)));
    },
    async put(url, { sha256: hash }, bytes) {
      // Announced to the database, when that failed since.
      pending.set(url, (pending.get(url) ?? new Set()).add(hash));
      chunks.set(hash, bytes);
    },
    async commit(row) {
      const { url, name, release } = row;
      floors.set(url, { url, name, release: Math.max(release, floors.get(url)?.release ?? 0) });
      // They went to the database, before it failed.
      if (row.chunks.some(({ sha256: hash }) => !chunks.has(hash)))
        throw new InsituError("storage_corrupt", `Some chunks of ${url} are not in memory.`, { url });
      rows.set(url, { ...row, usedAt: Date.now(), pinned: false, proved: false });
      pending.delete(url);
      sweep();
    },
    async proved(url) {
      // The backend has the weights now; a second copy would only cost memory.
      rows.delete(url);
      sweep();
    },
    async abandon(url) {
      pending.delete(url);
      sweep();
    },
    list: async () => [...rows.values()],
    bytes: async () => bytesOf([...rows.values()]),
    async delete(url) {
      pending.delete(url);
      const found = rows.delete(url);
      sweep();
      return found;
    },
    async clear() {
      rows.clear();
      pending.clear();
      chunks.clear();
      notes.clear();
    },
    pin: async () => false,
    readNote: async (digest, kind) => notes.get(`${digest} ${kind}`),
    async writeNote(digest, kind, value) {
      notes.set(`${digest} ${kind}`, value);
    },
    readBinary: async () => undefined,
    putBinary: async () => undefined,
    close: () => undefined,
  };
}
