// The store of a page that has no working IndexedDB: the same promises, in memory, for as long as the worker lives.
import { InsituError } from "../../../shared/errors.js";
import { sha256 } from "../../lib/sha256.js";
import type { ReleaseFloor } from "../trust.js";
import { type ChannelRow, changeRow } from "./channel-rows.js";
import { bytesOf } from "./eviction.js";
import type { PackageRow, Store } from "./store.js";

/** Everything that is kept. */
interface Memory {
  rows: Map<string, PackageRow>;
  floors: Map<string, ReleaseFloor>;
  /** As Blobs, which the browser may hold outside of this process or on disk. */
  chunks: Map<string, Blob>;
  /** Hashes of the downloads that have begun, by URL. */
  pending: Map<string, Set<string>>;
  notes: Map<string, unknown>;
  channels: Map<string, ChannelRow>;
}

/** Chunks are kept until their model runs. */
export function createMemoryStore(): Store {
  const memory: Memory = {
    rows: new Map(),
    floors: new Map(),
    chunks: new Map(),
    pending: new Map(),
    notes: new Map(),
    channels: new Map(),
  };
  return {
    ...downloadsIn(memory),
    ...packagesIn(memory),
    ...notesIn(memory),
    ...channelsIn(memory),
    close: () => undefined,
  };
}

/** Frees the chunks that neither a package nor a download has. */
function sweep({ rows, chunks, pending }: Memory): void {
  const kept = new Set([...pending.values()].flatMap((hashes) => [...hashes]));
  for (const row of rows.values()) for (const { sha256: hash } of row.chunks) kept.add(hash);
  for (const hash of chunks.keys()) if (!kept.has(hash)) chunks.delete(hash);
}

type Downloads = Pick<Store, "has" | "read" | "keepsFiles" | "begin" | "put" | "commit" | "proved" | "abandon">;

function downloadsIn(memory: Memory): Downloads {
  const { rows, floors, chunks, pending } = memory;
  return {
    has: async (hashes) => new Set(hashes.filter((hash) => chunks.has(hash))),
    keepsFiles: async () => false,
    async read({ sha256: hash }) {
      const bytes = await chunks.get(hash)?.arrayBuffer();
      if (!bytes) return "missing";
      return (await sha256(bytes)) === hash ? bytes : "corrupt";
    },
    async begin(row) {
      pending.set(row.url, new Set(row.chunks.map((chunk) => chunk.sha256)));
    },
    async put(url, { sha256: hash }, bytes) {
      // `begin` went to the database, when that failed since.
      pending.set(url, (pending.get(url) ?? new Set()).add(hash));
      chunks.set(hash, new Blob([bytes]));
    },
    async commit(row) {
      const { url, name, release } = row;
      floors.set(url, { url, name, release: Math.max(release, floors.get(url)?.release ?? 0) });
      // They went to the database, before it failed.
      if (row.chunks.some(({ sha256: hash }) => !chunks.has(hash)))
        throw new InsituError("storage_corrupt", `Some chunks of ${url} are not in memory.`, { url });
      rows.set(url, { ...row, usedAt: Date.now(), pinned: false, proved: false });
      pending.delete(url);
      sweep(memory);
    },
    async proved(url) {
      // The backend has the weights now; a second copy would only cost memory.
      rows.delete(url);
      sweep(memory);
    },
    async abandon(url) {
      pending.delete(url);
      sweep(memory);
    },
  };
}

type Packages = Pick<Store, "versions" | "floor" | "list" | "bytes" | "delete" | "clear" | "pin">;

function packagesIn(memory: Memory): Packages {
  const { rows, floors, chunks, pending, notes, channels } = memory;
  return {
    versions: async (url) => [...rows.values()].filter((row) => row.url === url),
    floor: async (url) => floors.get(url),
    list: async () => [...rows.values()],
    bytes: async () => bytesOf([...rows.values()]),
    async delete(url) {
      pending.delete(url);
      const found = rows.delete(url);
      sweep(memory);
      return found;
    },
    async clear() {
      for (const each of [rows, pending, chunks, notes, channels]) each.clear();
    },
    pin: async () => false,
  };
}

type Notes = Pick<Store, "readNote" | "writeNote" | "readBinary" | "putBinary">;

function notesIn({ notes }: Memory): Notes {
  return {
    async readNote(digest, kind) {
      const value = notes.get(`${digest} ${kind}`);
      return value === undefined ? undefined : { value };
    },
    async writeNote(digest, kind, value) {
      notes.set(`${digest} ${kind}`, value);
    },
    readBinary: async () => undefined,
    putBinary: async () => undefined,
  };
}

function channelsIn({ channels, floors }: Memory): Pick<Store, "changeChannel"> {
  return {
    async changeChannel(url, change, accepted) {
      const floor = floors.get(url);
      const isOld = accepted && floor && floor.release > accepted.release;
      if (accepted && !isOld) floors.set(url, { url, ...accepted });
      const rows = {
        get: async (key: string) => channels.get(key),
        put: async (row: ChannelRow) => channels.set(row.url, row),
      };
      return changeRow(rows, url, isOld ? (row) => row : change);
    },
  };
}
