// A channel file in a folder or a bucket, with the records of its releases beside it.
import { parseChannel } from "../../shared/rollout/parse-channel.js";
import { folderOf, type ObjectStore } from "../store/object-store.js";
import { commitRecord, readFile, readRecords, recordsOf, writeNewest } from "../store/records.js";
import { StorePackages } from "./package-source.js";
import { stableOf, versionOf } from "./plan.js";
import type { ChannelState, ChannelTarget, StableArm } from "./target.js";

/** `key` is the channel file in `store`. */
export function fileTarget(store: ObjectStore, key: string): ChannelTarget {
  const where = store.where(key);
  return {
    where,
    packages: new StorePackages(store, key),
    read: (repairs) => readState(store, key, where, repairs),
    // The number of the record is the condition; the text is for those who write the file by hand.
    commit: async (before, record) =>
      (await readState(store, key, where))?.text === before?.text && commitRecord(store, key, record),
    after: async () => [],
    history: async () => (await readRecords(store, key)).records,
    stableArms: async () =>
      (await readRecords(store, key)).records.toReversed().flatMap(({ text }) => stableIn(text, where) ?? []),
  };
}

/** The newest record, unless the file is newer: then somebody wrote it by hand. */
async function readState(
  store: ObjectStore,
  key: string,
  where: string,
  repairs = true,
): Promise<ChannelState | undefined> {
  if (repairs) for (const folder of [folderOf(key), recordsOf(key)]) await store.sweep(folder);
  const [file, { records, highest }] = [await readFile(store, key), await readRecords(store, key, "newest")];
  const newest = records.at(-1);
  if (newest && newest.release > file.release) {
    // A writer was killed between the record and the file.
    if (repairs) await writeNewest(store, key);
    const note = `${where} is missing, damaged or older than its record of release ${newest.release}, which is shown. The next command that publishes writes it anew.`;
    return { channel: parseChannel(newest.text, where), text: newest.text, highest, ...(!repairs && { note }) };
  }
  if (file.text === undefined) return undefined;
  return { channel: parseChannel(file.text, where), text: file.text, highest: Math.max(highest, file.release) };
}

function stableIn(text: string, where: string): StableArm | undefined {
  try {
    const stable = stableOf(parseChannel(text, where));
    return { version: versionOf(stable), package: stable.package };
  } catch {
    // Of a later version of the library.
    return undefined;
  }
}
