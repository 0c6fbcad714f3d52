// After a release of a channel in a registry: the aliases that exist follow it, and the index is written.
import { parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Channel } from "../../shared/types/rollout.js";
import { canariesOf, stableOf, versionOf } from "../channel/plan.js";
import type { ChannelAction, PublishOptions } from "../channel/release-options.js";
import { openStore } from "../store/open-store.js";
import { readFile } from "../store/records.js";
import { setAlias } from "./alias.js";
import { aliasKey, CHANNEL } from "./layout.js";
import { isRegistry, writeIndex } from "./write-index.js";

/** `location` is the folder of the channel file. Does nothing where that is not a registry's. Returns the aliases that moved. */
export async function followChannel(
  location: string,
  name: string,
  channel: Channel,
  action: ChannelAction,
  options: PublishOptions,
): Promise<string[]> {
  const [, parent, model] = /^(.*)[/\\]([^/\\]+)[/\\]?$/.exec(location) ?? [];
  if (name !== `${CHANNEL}.json` || !parent || model !== channel.model) return [];
  const registry = await openStore(parent);
  if (!(await isRegistry(registry))) return [];
  const canary = canariesOf(channel)[0];
  const follow = [
    ...(action === "promote" || action === "rollback" ? [{ alias: "champion", arm: stableOf(channel) }] : []),
    ...(action === "start" && canary ? [{ alias: "challenger", arm: canary }] : []),
  ];
  const moved: string[] = [];
  for (const { alias, arm } of follow) {
    const key = aliasKey(model, alias);
    const { text } = await readFile(registry, key);
    const version = versionOf(arm);
    // Only who has set the alias once wants it.
    if (text === undefined || versionOf(stableOf(parseChannel(text, registry.where(key)))) === version) continue;
    const { sign, unsigned, by } = options;
    const why = `${action} of the channel, release ${channel.release}`;
    await setAlias(registry, { model, alias }, version, {
      why,
      ...(sign && { sign }),
      ...(unsigned && { unsigned }),
      ...(by !== undefined && { by }),
    });
    moved.push(`${model}@${alias}: ${version}`);
  }
  await writeIndex(registry);
  return moved;
}
