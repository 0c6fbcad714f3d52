// Finds the channel that an argument names: a file, a folder or bucket with a channel.json, or the address at a collector.
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { InsituError } from "../../shared/errors.js";
import { followChannel } from "../registry/follow-channel.js";
import { openStore } from "../store/open-store.js";
import { collectorTarget, isCollectorAddress } from "./collector-target.js";
import { fileTarget } from "./file-target.js";
import { HttpPackages } from "./http-packages.js";
import { type PackageSource, StorePackages } from "./package-source.js";
import type { ChannelTarget } from "./target.js";

export interface TargetOptions {
  /** The operator's token at the collector. */
  token?: string;
  /** Of a collector's channel: the folder or address that its arms' paths are relative to. */
  packages?: string;
}

export async function openTarget(argument: string, { token, packages }: TargetOptions): Promise<ChannelTarget> {
  if (isCollectorAddress(argument)) return collectorTarget(argument, token, await packagesAt(packages ?? argument));
  if (packages !== undefined) {
    const message = `--packages is for a channel at a collector; the packages of ${argument} are beside it. Leave it out.`;
    throw new InsituError("input_invalid", message);
  }
  const { location, name } = locate(argument);
  const target = fileTarget(await openStore(location), name);
  return { ...target, after: (channel, action, options) => followChannel(location, name, channel, action, options) };
}

async function packagesAt(base: string): Promise<PackageSource> {
  return isCollectorAddress(base) ? new HttpPackages(base) : new StorePackages(await openStore(base), "channel.json");
}

/** The folder or bucket of a channel file, and the file's name in it. */
function locate(argument: string): { location: string; name: string } {
  if (/^s3:/i.test(argument)) {
    const [, folder = "", name = ""] = /^(.*)\/([^/]+\.json)$/.exec(argument) ?? [];
    return name ? { location: folder, name: checked(name) } : { location: argument, name: "channel.json" };
  }
  const path = /^file:/i.test(argument) ? fileURLToPath(argument) : argument;
  if (!path.endsWith(".json")) return { location: path, name: "channel.json" };
  return { location: dirname(path), name: checked(basename(path)) };
}

function checked(name: string): string {
  if (name !== "insitu.json" && name !== "index.json") return name;
  const message = `${name} is not a channel: insitu.json is the manifest of a package, index.json of a registry. Pass a channel file, such as channel.json.`;
  throw new InsituError("input_invalid", message, { name });
}
