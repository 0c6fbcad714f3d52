// Decides which versions of a registry nobody needs any more, and removes them.

import { parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Channel } from "../../shared/types/rollout.js";
import { MAX_MANIFEST_BYTES } from "../../worker/package/manifest.js";
import { versionOf } from "../channel/plan.js";
import type { ObjectStore } from "../store/object-store.js";
import { readRecords } from "../store/records.js";
import { type WhoOptions, whoAndWhy } from "../who.js";
import { readAddition, readRemoval, writeRemoval } from "./additions.js";
import { type ModelEntry, readCatalogue } from "./catalogue.js";
import { additionKey, aliasKey, CHANNEL, refuse, removalKey, versionFolder } from "./layout.js";

export interface GcOptions extends WhoOptions {
  /** The newest versions of each model that are kept, by semantic version. */
  keep: number;
  /** Milliseconds: what was added since is kept. */
  minAge: number;
  /** Removes; otherwise says only what it would remove. */
  delete?: boolean;
}

export interface GcItem {
  model: string;
  version: string;
  bytes: number;
  /** All the reasons why it is kept; undefined when it goes. */
  keptBy?: string;
  /** An addition that was never finished. */
  isIncomplete?: boolean;
}

/** Releases of a channel or an alias whose versions are kept, so that there is something to roll back to. */
const KEPT_RELEASES = 2;

export async function collectGarbage(registry: ObjectStore, options: GcOptions): Promise<GcItem[]> {
  const items: GcItem[] = [];
  const { models, problems } = await readCatalogue(registry);
  // An alias that cannot be read may name any version.
  if (options.delete && problems.length > 0)
    refuse(`Nothing was removed, since not all can be read: ${problems.join(" ")}`);
  for (const model of models) {
    const found = [...(await complete(registry, model, options)), ...(await incomplete(registry, model, options))];
    items.push(...found);
    if (options.delete)
      for (const item of found)
        if (item.keptBy === undefined && !(await removeVersion(registry, item, options)))
          item.keptBy = "an alias or a channel was set to it meanwhile";
  }
  return items;
}

async function complete(registry: ObjectStore, model: ModelEntry, { keep, minAge }: GcOptions): Promise<GcItem[]> {
  const named = await namedVersions(registry, model);
  return model.versions.map(({ version, bytes, addedAt }, index) => {
    const reasons = [
      ...(named.get(version) ?? []),
      ...(index < keep ? [`one of the newest ${keep}`] : []),
      ...(isYoung(addedAt, minAge) ? ["added lately"] : []),
    ];
    return { model: model.name, version, bytes, ...(reasons.length > 0 && { keptBy: reasons.join("; ") }) };
  });
}

// A clock that went back makes everything young, and nothing is removed.
const isYoung = (at: string | undefined, minAge: number): boolean =>
  at !== undefined && Date.now() - Date.parse(at) < minAge;

/** The versions that the aliases and the channel name, or named before their stable version changed, and who does. */
async function namedVersions(registry: ObjectStore, model: ModelEntry): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const current = [...model.aliases, ...(model.channel ? [{ name: CHANNEL, channel: model.channel }] : [])];
  for (const { name, channel: now } of current) {
    const { records } = await readRecords(registry, aliasKey(model.name, name));
    const channels = [now, ...records.flatMap(({ text }) => parsed(text) ?? []).toReversed()];
    const mine = new Map<string, string>();
    for (const channel of stableChanges(channels).toReversed())
      for (const arm of channel.arms) mine.set(versionOf(arm), channel === now ? name : `${name}, to roll back to`);
    for (const [version, reason] of mine) found.set(version, [...(found.get(version) ?? []), reason]);
  }
  return found;
}

/** The newest channel, and the newest before it with another stable version. */
function stableChanges(channels: Channel[]): Channel[] {
  const kept: Channel[] = [];
  for (const channel of channels) {
    const stable = (one: Channel) => one.arms.find(({ role }) => role === "stable")?.package;
    if (!kept.some((one) => stable(one) === stable(channel))) kept.push(channel);
    if (kept.length === KEPT_RELEASES) break;
  }
  return kept;
}

function parsed(text: string): Channel | undefined {
  try {
    return parseChannel(text, "record");
  } catch {
    return undefined;
  }
}

/** Versions with a record and without a manifest: a publisher was killed, or gave up. */
async function incomplete(registry: ObjectStore, entry: ModelEntry, { minAge }: GcOptions): Promise<GcItem[]> {
  const { name: model, versions, history } = entry;
  const named = await namedVersions(registry, entry);
  const there = new Set(versions.map(({ version }) => version));
  const items: GcItem[] = [];
  for (const { action, subject: version, at } of history) {
    if (action !== "add" || there.has(version)) continue;
    const found = await registry.list(versionFolder(model, version));
    const bytes = found.reduce((sum, { size }) => sum + size, 0);
    // Removed before, all of it.
    if (found.length === 0 && (await readRemoval(registry, model, version))) continue;
    // Its package was removed by hand, and may come back: its number stays that of its bytes.
    const reasons = [...(named.get(version) ?? []), ...(isYoung(at, minAge) ? ["being added"] : [])];
    const kept = reasons.length > 0 ? { keptBy: reasons.join("; ") } : {};
    items.push({ model, version, bytes, isIncomplete: true, ...kept });
  }
  return items;
}

/**
 * The manifest first: what is left of a removal that is cut off does not look like a package, and the next one removes it. Returns false
 * where an alias or the channel has been set to the version since: it stays whole.
 */
async function removeVersion(
  registry: ObjectStore,
  { model, version, isIncomplete }: GcItem,
  options: GcOptions,
): Promise<boolean> {
  if (await isNamed(registry, model, version)) return false;
  const folder = versionFolder(model, version);
  const key = `${folder}insitu.json`;
  const manifest = await registry.read(key, MAX_MANIFEST_BYTES);
  // The record of its bytes stays: its number never stands for another package. One that was never finished is free again.
  if (!isIncomplete)
    await writeRemoval(registry, model, version, { at: new Date().toISOString(), ...(await whoAndWhy(options)) });
  await registry.remove(key);
  // Who sets an alias looks for the manifest afterwards, and here the aliases are looked at after it is gone: one of the two sees the other.
  if (manifest && (await isNamed(registry, model, version))) {
    await registry.create(key, manifest.bytes);
    await registry.remove(removalKey(model, version));
    return false;
  }
  for (const { key } of await registry.list(folder)) await registry.remove(key);
  const isFree = isIncomplete && !(await readRemoval(registry, model, version));
  if (isFree && (await readAddition(registry, model, version))) await registry.remove(additionKey(model, version));
  return true;
}

async function isNamed(registry: ObjectStore, model: string, version: string): Promise<boolean> {
  const now = (await readCatalogue(registry)).models.find(({ name }) => name === model);
  return now !== undefined && (await namedVersions(registry, now)).has(version);
}
