// Names a version of a registry: an alias is a channel file with one stable arm.
import { randomHex } from "../../shared/hex.js";
import { fileTarget } from "../channel/file-target.js";
import { type Published, publish } from "../channel/publish.js";
import type { PublishOptions } from "../channel/release-options.js";
import type { ObjectStore } from "../store/object-store.js";
import { aliasKey, refuse, versionFolder } from "./layout.js";
import { checkRecorded } from "./same-manifest.js";

/** Moves `model@alias` to a version, which is verified. Throws what `publish` throws. */
export async function setAlias(
  registry: ObjectStore,
  { model, alias }: { model: string; alias: string },
  version: string,
  options: PublishOptions,
): Promise<Published> {
  const target = fileTarget(registry, aliasKey(model, alias));
  const published = await publish(
    target,
    "alias",
    async (before) => {
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
  // `gc` looks at the aliases before it removes a version, and may have looked before this one was there.
  const manifest = `${versionFolder(model, published.channel.arms[0]?.version ?? version)}insitu.json`;
  if (!(await registry.read(manifest, Number.MAX_SAFE_INTEGER)))
    refuse(
      `${model} ${version} was removed by "insitu registry gc" while the alias was set. Add the package again, or set ${alias} to another version.`,
    );
  return published;
}
