// Installs the other engines (peers), and lists which of them runs which network and what the benchmark's server must serve.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import type { Manifest } from "../../src/shared/types/manifest.js";
import { type Cores, NETWORKS, type Network, type NetworkName, networkFolder } from "../networks.js";
import type { Peer } from "../page/peers.js";
import { PAGE } from "../page-build.js";
import { convertToOnnx } from "./onnx/convert.js";

export interface PeerSite {
  mounts: Record<string, string>;
  of(model: NetworkName, cores: Cores): Peer[];
}

export const NO_PEERS: PeerSite = { mounts: {}, of: () => [] };

const HERE = dirname(fileURLToPath(import.meta.url));
const MODULES = join(HERE, "node_modules");
const ONNX_FOLDER = join(".cache", "bench", "onnx");

/** The same networks as published by Google; the other networks exist only in tfjs's format. */
const TFLITE: Partial<Record<NetworkName, string>> = {
  selfie: "@mediapipe/selfie_segmentation/selfie_segmentation.tflite",
  "handlandmark-full": "@mediapipe/hands/hand_landmark_full.tflite",
};

/** Call it after the networks' packages are packed and the pages are built. */
export async function openPeers(say: (line: string) => void): Promise<PeerSite> {
  install(say);
  await bundleLiteRt();
  return { mounts: { "/peers/": MODULES, "/onnx/": ONNX_FOLDER }, of: peersOf };
}

/** Installs the versions in package-lock.json, without running their scripts. */
function install(say: (line: string) => void): void {
  if (existsSync(join(MODULES, ".package-lock.json"))) return;
  say("installing the peers in bench/peers");
  const arguments_ = ["ci", "--prefix", HERE, "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", arguments_, { cwd: HERE, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error("The peers could not be installed. See npm's output above.");
}

/** LiteRT.js must be bundled: its modules use bare imports, which a page cannot resolve. */
async function bundleLiteRt(): Promise<void> {
  const entry = join(MODULES, "@litertjs/core/dist/index.js");
  const lib = { entry, formats: ["es" as const], fileName: () => "litert.js" };
  await build({
    root: HERE,
    configFile: false,
    logLevel: "error",
    build: { outDir: PAGE, emptyOutDir: false, minify: false, lib },
  });
}

function peersOf(model: NetworkName, cores: Cores): Peer[] {
  const network = NETWORKS.find(({ name }) => name === model);
  if (!network) return [];
  const threads = cores === "one" ? (["one"] as const) : (["one", "all"] as const);
  const tflite = TFLITE[model];
  const engines = [
    ...(tflite ? [{ engine: "litert" as const, label: "LiteRT.js", url: `/peers/${tflite}` }] : []),
    { engine: "onnxruntime" as const, label: "onnxruntime-web", url: convertNetwork(network) },
  ];
  return engines.flatMap(({ engine, label, url }) =>
    threads.map((count) => ({
      name: `${label}, ${count === "one" ? "1" : "all"}`,
      engine,
      threads: count,
      model: url,
    })),
  );
}

/** Converts the network to ONNX. It takes less than a second, so it is done every time and is never outdated. */
function convertNetwork(network: Network): string {
  const folder = networkFolder(network);
  const manifest = JSON.parse(readFileSync(join(folder, "insitu.json"), "utf8")) as Manifest;
  const model = manifest.files.find(({ path }) => path.endsWith(".json"))?.path ?? "";
  const outputs = manifest.outputs.map(({ name }) => name);
  mkdirSync(ONNX_FOLDER, { recursive: true });
  writeFileSync(join(ONNX_FOLDER, `${network.name}.onnx`), convertToOnnx(join(folder, model), outputs));
  return `/onnx/${network.name}.onnx`;
}
