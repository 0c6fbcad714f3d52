// What a registry holds, read from its folders and never from its index, which anybody could have changed.
import rcompare from "semver/functions/rcompare.js";
import valid from "semver/functions/valid.js";
import { isInsituError } from "../../shared/errors.js";
import { parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { Channel } from "../../shared/types/rollout.js";
import { digestOf } from "../../worker/package/canonical-json.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "../../worker/package/manifest.js";
import { versionOf } from "../channel/plan.js";
import type { ObjectStore } from "../store/object-store.js";
import { readFile, readRecords } from "../store/records.js";
import { readAddition, readRemoval } from "./additions.js";
import { CHANNEL, checkAlias, checkModelName, versionFolder } from "./layout.js";

/** A version that is there. */
export interface VersionEntry {
  version: string;
  digest: string;
  release: number;
  /** Bytes of all files of the manifest. */
  bytes: number;
  manifest: Manifest;
  addedAt?: string;
  addedBy?: string;
}

export interface ChannelEntry {
  /** `champion`, or `channel`. */
  name: string;
  channel: Channel;
}

export interface MissingVersion {
  /** The alias, or `channel`. */
  name: string;
  version: string;
}

/** A change of an alias, of the channel, or of the versions. */
export interface RegistryChange {
  at: string;
  action: string;
  /** The alias, `channel`, or the version. */
  subject: string;
  by: string;
  why: string;
  /** What is in force since then. */
  summary: string;
  release?: number;
}

export interface ModelEntry {
  name: string;
  /** The newest first, by semantic version. */
  versions: VersionEntry[];
  aliases: ChannelEntry[];
  channel?: Channel;
  /** What an alias or the channel names, and is not there: nobody can load it. */
  missing: MissingVersion[];
  /** Oldest first. */
  history: RegistryChange[];
}

export interface Catalogue {
  models: ModelEntry[];
  /** What is damaged, incomplete, or not the registry's. */
  problems: string[];
}

/** How many objects are read at a time. */
const PARALLEL = 16;
const FILE = /^([^/]+)\.json$/;

export async function readCatalogue(registry: ObjectStore): Promise<Catalogue> {
  const problems: string[] = [];
  const models: ModelEntry[] = [];
  for (const name of (await registry.folders("")).sort()) {
    // What else lies in the folder, such as .git, is not the registry's.
    if (isName(name)) models.push(await readModel(registry, name, problems));
  }
  return { models: models.filter(({ versions, history }) => versions.length + history.length > 0), problems };
}

function isName(name: string): boolean {
  try {
    checkModelName(name);
    return true;
  } catch {
    return false;
  }
}

async function readModel(registry: ObjectStore, name: string, problems: string[]): Promise<ModelEntry> {
  const tell = (error: unknown): undefined => {
    if (!isInsituError(error)) throw error;
    problems.push(error.message);
  };
  const folders = (await registry.folders(`${name}/`)).filter((folder) => valid(folder) === folder);
  const versions = await inParallel(folders, (version) => readVersion(registry, name, version).catch(tell));
  const keys = (await registry.list(`${name}/`)).map(({ key }) => key.slice(name.length + 1));
  const files = keys.flatMap((key) => FILE.exec(key)?.[1] ?? []);
  const named = await inParallel(files, (file) => readNamed(registry, name, file).catch(tell));
  const entries = named.filter((entry) => entry !== undefined);
  const histories = await inParallel(namesWithHistory(keys), (file) => readHistory(registry, name, file, problems));
  const added = await inParallel(versionsWithRecord(keys), (version) => readVersionHistory(registry, name, version));
  const channel = entries.find((entry) => entry.name === CHANNEL)?.channel;
  return {
    name,
    versions: versions.filter((entry) => entry !== undefined).sort((a, b) => rcompare(a.version, b.version)),
    aliases: entries.filter((entry) => entry.name !== CHANNEL).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(channel && { channel }),
    missing: missingVersions(entries, new Set(keys)),
    history: [...histories.flat(), ...added.flat()].sort(byTime),
  };
}

/** The arms whose folder has no manifest among the `keys` of the model. */
function missingVersions(entries: ChannelEntry[], keys: Set<string>): MissingVersion[] {
  const missing = entries.flatMap(({ name, channel }) =>
    channel.arms
      .filter((arm) => !keys.has(`${arm.package.slice(2)}insitu.json`))
      .map((arm) => ({ name, version: versionOf(arm) })),
  );
  // Aliases first.
  const rank = ({ name }: MissingVersion) => (name === CHANNEL ? 1 : 0);
  return missing.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

const byTime = (a: RegistryChange, b: RegistryChange): number =>
  Date.parse(a.at) - Date.parse(b.at) || (a.release ?? 0) - (b.release ?? 0) || (a.subject < b.subject ? -1 : 1);

async function readVersion(registry: ObjectStore, model: string, version: string): Promise<VersionEntry | undefined> {
  const key = `${versionFolder(model, version)}insitu.json`;
  const found = await registry.read(key, MAX_MANIFEST_BYTES);
  if (!found) return undefined;
  const text = found.bytes.toString("utf8");
  const manifest = parseManifest(text, registry.where(key));
  const addition = await readAddition(registry, model, version);
  return {
    version,
    digest: await digestOf(text),
    release: manifest.release,
    bytes: manifest.files.reduce((sum, { size }) => sum + size, 0),
    manifest,
    ...(addition && { addedAt: addition.at, addedBy: addition.by }),
  };
}

async function readNamed(registry: ObjectStore, model: string, name: string): Promise<ChannelEntry | undefined> {
  if (name !== CHANNEL) checkAlias(name);
  const key = `${model}/${name}.json`;
  const { text } = await readFile(registry, key);
  const newest = (await readRecords(registry, key, "newest")).records.at(-1);
  const channel = text === undefined ? undefined : parseChannel(text, registry.where(key));
  // A writer was killed between the record and the file.
  if (newest && (!channel || newest.release > channel.release))
    return { name, channel: parseChannel(newest.text, registry.where(key)) };
  return channel && { name, channel };
}

const namesWithHistory = (keys: string[]): string[] => [
  ...new Set(keys.flatMap((key) => /^history\/([^/]+)\/\d+\.json$/.exec(key)?.[1] ?? [])),
];

const versionsWithRecord = (keys: string[]): string[] =>
  keys.flatMap((key) => /^history\/versions\/([^/]+)\.json$/.exec(key)?.[1] ?? []);

async function readHistory(
  registry: ObjectStore,
  model: string,
  name: string,
  problems: string[],
): Promise<RegistryChange[]> {
  const { records, damaged } = await readRecords(registry, `${model}/${name}.json`);
  problems.push(...damaged.map((where) => `${where} is damaged.`));
  return records.map(({ text: _, ...change }) => ({ ...change, subject: name }));
}

async function readVersionHistory(registry: ObjectStore, model: string, version: string): Promise<RegistryChange[]> {
  const [added, removed] = [await readAddition(registry, model, version), await readRemoval(registry, model, version)];
  const change = (action: string, { at, by, why }: { at: string; by: string; why: string }): RegistryChange => ({
    action,
    at,
    by,
    why,
    subject: version,
    summary: "",
  });
  return [...(added ? [change("add", added)] : []), ...(removed ? [change("remove", removed)] : [])];
}

/** `work` for each item, some at a time; the results in the order of the items. */
async function inParallel<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += PARALLEL)
    results.push(...(await Promise.all(items.slice(start, start + PARALLEL).map(work))));
  return results;
}
