// Finds the package that an argument names in a registry or on this disk: objects@champion, objects@1.0.0, objects/1.0.0 or a folder.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import valid from "semver/functions/valid.js";
import { parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Manifest } from "../../shared/types/manifest.js";
import { digestOf } from "../../worker/package/canonical-json.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "../../worker/package/manifest.js";
import { stableOf, versionOf } from "../channel/plan.js";
import type { ObjectStore } from "../store/object-store.js";
import { readFile } from "../store/records.js";
import { readPackage } from "../verify.js";
import { aliasKey, checkAlias, checkModelName, checkVersion, refuse, versionFolder } from "./layout.js";

export interface FoundPackage {
  /** As it was named, with the version. */
  name: string;
  manifest: Manifest;
  digest: string;
}

export async function findPackage(registry: ObjectStore | undefined, argument: string): Promise<FoundPackage> {
  const [, model, version] = /^([^@/\\]+)[@/]([^@/\\]+)$/.exec(argument) ?? [];
  if (registry && model !== undefined && version !== undefined) return inRegistry(registry, model, version);
  if (await stat(join(argument, "insitu.json")).catch(() => undefined)) {
    const { manifest, digest } = await readPackage(argument);
    return { name: `${argument} (${manifest.name} ${manifest.version})`, manifest, digest };
  }
  return refuse(
    `${argument} is not a package. Pass a folder, or with --registry <model>@<version> or <model>@<alias>.`,
  );
}

async function inRegistry(registry: ObjectStore, model: string, name: string): Promise<FoundPackage> {
  checkModelName(model);
  const version = await versionNamed(registry, model, name);
  const key = `${versionFolder(model, version)}insitu.json`;
  const found = await registry.read(key, MAX_MANIFEST_BYTES);
  if (!found) return refuse(`The registry has no ${model} ${version}. "insitu registry list" shows what it has.`);
  const text = found.bytes.toString("utf8");
  return {
    name: `${model} ${version}`,
    manifest: parseManifest(text, registry.where(key)),
    digest: await digestOf(text),
  };
}

/** The version itself, or the one that an alias names. */
export async function versionNamed(registry: ObjectStore, model: string, name: string): Promise<string> {
  if (valid(name) === name) {
    checkVersion(name);
    return name;
  }
  checkAlias(name);
  const key = aliasKey(model, name);
  const { text } = await readFile(registry, key);
  if (text === undefined)
    return refuse(`${model} has no version and no alias ${name}. "insitu registry list" shows what it has.`);
  return versionOf(stableOf(parseChannel(text, registry.where(key))));
}
