// The index of a registry for programs: what it holds, as JSON.

import type { TensorSpec } from "../../shared/types/manifest.js";
import type { ArmRole } from "../../shared/types/rollout.js";
import { percentOf, versionOf } from "../channel/plan.js";
import type { Catalogue, MissingVersion, ModelEntry, RegistryChange, VersionEntry } from "./catalogue.js";

/** `index.json`. */
export interface RegistryIndex {
  /** Version of the layout. */
  insituRegistry: 1;
  models: IndexModel[];
}

interface IndexModel {
  name: string;
  versions: IndexVersion[];
  /** The version of each alias. */
  aliases: Record<string, string>;
  channel?: { release: number; arms: { role: ArmRole; version: string; percent: number }[] };
  /** What an alias or the channel names, and is not there. */
  missing?: MissingVersion[];
  history: RegistryChange[];
}

interface IndexVersion {
  version: string;
  /** Relative to the index. */
  package: string;
  digest: string;
  release: number;
  bytes: number;
  created?: string;
  addedAt?: string;
  addedBy?: string;
  task: string;
  inputs: Pick<TensorSpec, "name" | "dtype" | "shape">[];
  outputs: Pick<TensorSpec, "name" | "dtype" | "shape">[];
  selfTests: number;
  signedBy: string[];
  license?: string;
  source?: string;
  metrics?: Record<string, number>;
}

/** The same catalogue gives the same text, whoever writes it. */
export function indexText({ models }: Catalogue): string {
  return `${JSON.stringify({ insituRegistry: 1, models: models.map(indexModel) } satisfies RegistryIndex, null, 2)}\n`;
}

function indexModel({ name, versions, aliases, channel, missing, history }: ModelEntry): IndexModel {
  return {
    name,
    versions: versions.map((entry) => indexVersion(name, entry)),
    aliases: Object.fromEntries(aliases.map((alias) => [alias.name, versionOf(alias.channel.arms[0] as never)])),
    ...(channel && {
      channel: {
        release: channel.release,
        arms: channel.arms.map((arm) => ({
          role: arm.role,
          version: versionOf(arm),
          percent: percentOf(channel, arm),
        })),
      },
    }),
    ...(missing.length > 0 && { missing }),
    history,
  };
}

function indexVersion(
  model: string,
  { version, digest, release, bytes, manifest, addedAt, addedBy }: VersionEntry,
): IndexVersion {
  const { created, task, license, source, metrics, selfTest = [], signatures = [] } = manifest;
  const tensor = ({ name, dtype, shape }: TensorSpec) => ({ name, dtype, shape });
  return {
    version,
    package: `${model}/${version}/`,
    digest,
    release,
    bytes,
    ...(created && { created }),
    ...(addedAt && { addedAt }),
    ...(addedBy && { addedBy }),
    task: task.kind,
    inputs: manifest.inputs.map(tensor),
    outputs: manifest.outputs.map(tensor),
    selfTests: selfTest.length,
    signedBy: signatures.map(({ keyId }) => keyId),
    ...(license && { license }),
    ...(source && { source }),
    ...(metrics && { metrics }),
  };
}
