// `npm start`: builds missing or outdated parts, starts the demo and the collector, and prints their addresses.
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { preview } from "vite";
import { markBuilt, type Part, whyBuild } from "../demo/server/fresh.js";
import { pageConfig } from "../demo/server/site.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEMO_HOST = "localhost";
// The collector's default. `localhost` may be ::1, which is a different address.
const COLLECTOR_HOST = "127.0.0.1";
// The default ports of Vite's preview server and of OTLP/HTTP.
const DEMO_PORT = 4173;
const COLLECTOR_PORT = 4318;
// Number of consecutive ports to try.
const MAX_PORTS = 20;

const LIBRARY: Part = {
  name: "library",
  outputs: ["dist/index.js", "dist/worker.js"],
  sources: ["src", "tsdown.config.ts", "scripts/finish-build.ts", "package-lock.json"],
  command: ["npm", "run", "build"],
};
const MODELS: Part = {
  name: "models",
  // `digits` is committed together with its sources, so their modification times do not matter.
  outputs: ["models/objects/package/insitu.json"],
  sources: ["models/objects", "models/build.ts"],
  command: ["npm", "run", "models"],
};
const COLLECTOR: Part = {
  name: "collector",
  outputs: ["collector/dist/index.js"],
  sources: ["collector/src", "collector/package.json"],
  command: ["npm", "run", "build:collector"],
};
const DEMO: Part = {
  name: "demo page",
  outputs: ["demo/dist/index.html", "demo/dist/sw.js"],
  sources: ["demo", "dist/index.js", "dist/worker.js", "package-lock.json"],
  command: ["npx", "vite", "build", "demo"],
};

interface Options {
  port?: number;
  collectorPort?: number;
  collector: boolean;
  data: string;
}

function readOptions(): Options {
  const port = (text: string) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0 || value > 65535) {
      throw new InvalidArgumentError("It must be an integer from 0 to 65535; 0 uses any free port.");
    }
    return value;
  };
  return new Command("npm start --")
    .description("Builds missing or outdated parts, then serves the demo and its telemetry collector.")
    .option("--port <number>", `the demo's port (default: ${DEMO_PORT}, or the next free one)`, port)
    .option(
      "--collector-port <number>",
      `the collector's port (default: ${COLLECTOR_PORT}, or the next free one)`,
      port,
    )
    .option("--data <file>", "the collector's database", join(ROOT, "telemetry.db"))
    .option("--no-collector", "serve only the demo, which then records and sends nothing")
    .helpOption("-h, --help", "print this help")
    .parse()
    .opts<Options>();
}

/** Builds an outdated part; throws if the build fails, since the demo would only fail later and less clearly. */
function build(part: Part): void {
  const reason = whyBuild(part, ROOT);
  if (!reason) return;
  console.log(`Building the ${part.name} (${reason}): ${part.command.join(" ")}`);
  const [program = "npm", ...args] = part.command;
  const { status } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`The ${part.name} could not be built. See the output above.`);
  markBuilt(part, ROOT);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}

/** The requested port, or the first free one from `first` on. */
async function choosePort(requested: number | undefined, first: number, host: string, option: string): Promise<number> {
  if (requested !== undefined) {
    if (requested === 0 || (await isFree(requested, host))) return requested;
    throw new Error(`Port ${requested} is in use. Pass another one: npm start -- ${option} <number>.`);
  }
  for (let port = first; port < first + MAX_PORTS; port++) {
    if (!(await isFree(port, host))) continue;
    if (port !== first) console.log(`Port ${first} is in use; using ${port} instead.`);
    return port;
  }
  throw new Error(
    `Ports ${first} to ${first + MAX_PORTS - 1} are in use. Pass a free one: npm start -- ${option} <number>.`,
  );
}

interface Running {
  url: string;
  close(): Promise<void>;
}

async function startDemo(port: number, collector: () => string | null): Promise<Running> {
  const server = await preview({
    configFile: join(ROOT, "demo", "vite.config.ts"),
    logLevel: "warn",
    plugins: [pageConfig(collector)],
    preview: { port, strictPort: true, host: DEMO_HOST },
  });
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error("The demo server started without an address.");
  return { url, close: () => server.close() };
}

async function startCollector(port: number, data: string, origins: string[]): Promise<Running> {
  const path = pathToFileURL(join(ROOT, "collector/dist/index.js")).href;
  const collector = (await import(path)) as typeof import("../collector/src/index.js");
  // The demo has one local user, so small groups need no privacy threshold.
  return collector.startCollector({ port, host: COLLECTOR_HOST, data, allowOrigins: origins, minBatches: 1 });
}

async function main(): Promise<void> {
  const options = readOptions();
  // Before the builds, so that a port in use is reported at once.
  const port = await choosePort(options.port, DEMO_PORT, DEMO_HOST, "--port");
  const collectorPort = options.collector
    ? await choosePort(options.collectorPort, COLLECTOR_PORT, COLLECTOR_HOST, "--collector-port")
    : undefined;
  for (const part of [LIBRARY, MODELS, ...(options.collector ? [COLLECTOR] : []), DEMO]) build(part);

  const running: Running[] = [];
  let collectorUrl: string | null = null;
  let ending = false;
  const end = async () => {
    // npm, tsx and the terminal each forward Ctrl-C; only the first one counts.
    if (ending) return;
    ending = true;
    await Promise.allSettled(running.map((one) => one.close()));
    process.exit(0);
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);

  const demo = await startDemo(port, () => collectorUrl);
  running.push(demo);
  if (collectorPort !== undefined) {
    const { origin } = new URL(demo.url);
    // The demo can be opened under both host names, which are two origins.
    const origins = [origin, origin.replace(DEMO_HOST, "127.0.0.1")];
    const collector = await startCollector(collectorPort, options.data, origins);
    running.push(collector);
    collectorUrl = collector.url;
  }
  console.log(`\n  Demo       ${demo.url}`);
  console.log(`  Collector  ${collectorUrl ? new URL("/dashboard/", collectorUrl).href : "off (--no-collector)"}`);
  console.log("\n  Press Ctrl-C to stop.\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
