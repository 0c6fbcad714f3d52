// Names a version of a registry: an alias is a channel file with one stable arm.
import { randomHex } from "../../shared/hex.js";
import type { Channel } from "../../shared/types/rollout.js";
import { MAX_MANIFEST_BYTES } from "../../worker/package/manifest.js";
import { fileTarget } from "../channel/file-target.js";
import { stableOf, versionOf } from "../channel/plan.js";
import { type Published, publish } from "../channel/publish.js";
import type { PublishOptions } from "../channel/release-options.js";
import type { ChannelTarget } from "../channel/target.js";
import type { ObjectStore } from "../store/object-store.js";
import { withdrawRecord } from "../store/records.js";
import { aliasKey, refuse, versionFolder } from "./layout.js";
import { checkRecorded } from "./same-manifest.js";

/** Moves `model@alias` to a version, which is verified. Throws what `publish` throws, and takes the move back where the version is gone. */
export async function setAlias(
  registry: ObjectStore,
  { model, alias }: { model: string; alias: string },
  version: string,
  options: PublishOptions,
): Promise<Published> {
  const key = aliasKey(model, alias);
  const target = fileTarget(registry, key);
  let previous: Channel | undefined;
  const published = await publish(
    target,
    "alias",
    async (before) => {
      previous = before?.channel;
      const found = await target.packages.find(version);
      if (found.model !== model)
        refuse(`${version} is the model ${found.model}, the alias is one of ${model}. Name a version of ${model}.`);
      if (found.package !== `./${found.version}/`)
        refuse(
          `${found.package} of ${model} holds the version ${found.version}. Remove it, and add the package again.`,
        );
      await checkRecorded(registry, model, found.version);
      const arm = { package: found.package, weight: 100, role: "stable" as const, version: found.version };
      return { model, arms: [arm], salt: before?.channel.salt ?? randomHex(8) };
    },
    options,
  );
  // `gc` looks at the aliases after it has removed a manifest, and here the manifest is looked for after the alias is there: one of the two
  // sees the other.
  const arm = stableOf(published.channel);
  const manifest = `${versionFolder(model, versionOf(arm))}insitu.json`;
  if (await registry.read(manifest, MAX_MANIFEST_BYTES)) return published;
  const now = await takeBack(target, registry, key, published.channel, previous, options);
  return refuse(
    `${model} ${versionOf(arm)} was removed by "insitu registry gc" while the alias was set: ${alias} ${now}. Add the package again, or set ${alias} to another version.`,
  );
}

/** Returns what the alias is then, in words. A release that another made meanwhile stays. */
async function takeBack(
  target: ChannelTarget,
  registry: ObjectStore,
  key: string,
  { release }: Channel,
  previous: Channel | undefined,
  options: PublishOptions,
): Promise<string> {
  // Nobody could load the release, so that its number is free again.
  if (!previous) await withdrawRecord(registry, key, release);
  else if ((await target.read())?.channel.release === release) {
    const { release: _, ...rest } = options;
    const back = { ...rest, ifRelease: release, why: `release ${release} named a version that was removed` };
    const { model, arms, salt } = previous;
    await publish(target, "alias", async () => ({ model, arms, salt }), back);
  }
  const now = await target.read();
  if (!now) return "was not set";
  return `is ${versionOf(stableOf(now.channel))}${previous ? " again" : ""}`;
}
