// The interface of a store of packages.
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import type { StoredPackage, StoreEvent } from "../../../shared/types/store.js";
import type { ReleaseFloor } from "../trust.js";
import type { ChannelRow, KeptChannel } from "./channel-rows.js";

/** One stored version of a package. */
export interface PackageRow extends StoredPackage {
  /** The manifest as its host served it: what was signed is checked again at each load. */
  text: string;
  /** Every chunk of every file. */
  chunks: ChunkSpec[];
  /** True once a backend ran this version: the one to go back to. */
  proved: boolean;
  /** True once a visit that changed nothing has removed the files that no row has. */
  swept?: boolean;
}

/** What a load knows of a version when it commits it. */
export type NewRow = Omit<PackageRow, "usedAt" | "pinned" | "proved" | "swept">;

/** Where WebAssembly binaries are kept beside the packages. */
export interface BinaryStore {
  readBinary(binary: ChunkSpec): Promise<ArrayBuffer | undefined>;
  putBinary(binary: ChunkSpec, bytes: ArrayBuffer): Promise<void>;
}

/** What is stored of a note: its value, or the hash of the bytes that should be there. */
export type StoredNote = { value: unknown } | { corrupt: string };

/** Where what a device found out about a package is kept: what is fastest, what crashed. It goes with the package. */
export interface NoteStore {
  /** Undefined where there is none. A note whose bytes were altered is removed: then its hash is returned in place of the value. */
  readNote(digest: string, kind: string): Promise<StoredNote | undefined>;
  /** `value` is plain data and typed arrays. Undefined removes the note. */
  writeNote(digest: string, kind: string, value: unknown): Promise<void>;
}

/** What is kept of channels. */
export interface ChannelStore {
  /**
   * Changes the row of a channel in one transaction, with which two tabs cannot interfere; `change` is called once. `accepted` raises the
   * release floor of the address; where a higher release was accepted meanwhile, nothing changes.
   */
  changeChannel(
    url: string,
    change: (row: ChannelRow) => ChannelRow,
    accepted?: Omit<ReleaseFloor, "url">,
  ): Promise<KeptChannel>;
}

/** Every method rejects with `storage_unavailable` when the store does not answer, and `storage_quota` where bytes find no room. */
export interface Store extends BinaryStore, NoteStore, ChannelStore {
  /** The versions kept for an address, the newest release first. */
  versions(url: string): Promise<PackageRow[]>;
  /** The highest release ever committed for an address; outlives the package. */
  floor(url: string): Promise<ReleaseFloor | undefined>;
  /** Which of the chunks are there; says nothing of their content. */
  has(hashes: string[]): Promise<Set<string>>;
  /**
   * The chunk's bytes, hashed again: databases return altered bytes without an error. An altered one is removed.
   * @param spare - Memory that they may be put into, where it has their size.
   */
  read(chunk: ChunkSpec, spare?: ArrayBuffer): Promise<ArrayBuffer | "missing" | "corrupt">;
  /**
   * Announces a download, so that its chunks outlive a crash and the removal of other packages. Rejects with `storage_quota`
   * when the version will not fit into the budget.
   */
  begin(row: NewRow): Promise<void>;
  /** Whether large chunks become files, which takes no memory beside theirs. */
  keepsFiles(): Promise<boolean>;
  /** Keeps one verified chunk of an announced download, with its checksum where there is one. */
  put(url: string, chunk: ChunkSpec, bytes: Blob | ArrayBuffer, xxh64?: string): Promise<void>;
  /** Makes a version whose chunks were put the newest of its address: wholly or not at all, and durably. */
  commit(row: NewRow): Promise<void>;
  /** Notes that a backend ran this version now; older versions of the address are dropped. */
  proved(url: string, digest: string): Promise<void>;
  /** Gives up a download that was announced, with its chunks. */
  abandon(url: string): Promise<void>;
  list(): Promise<PackageRow[]>;
  /** Bytes of all chunks that are kept, each counted once. */
  bytes(): Promise<number>;
  /** False when nothing was kept for the address. */
  delete(url: string): Promise<boolean>;
  /** Removes all but the release floors. */
  clear(): Promise<void>;
  /** Answers false when nothing is kept for the address. */
  pin(url: string, pinned: boolean): Promise<boolean>;
  close(): void;
}

/** Receives the events of the store. */
export type OnStoreEvent = (event: StoreEvent) => void;
