// `npm start`: builds what is missing or changed, starts the collector and the demo page, prints both addresses.
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
// The collector's own default. It may be another address than `localhost`, which can be ::1.
const COLLECTOR_HOST = "127.0.0.1";
// Vite's own port for built pages, and OTLP/HTTP's.
const DEMO_PORT = 4173;
const COLLECTOR_PORT = 4318;
// After so many busy ports something else is wrong.
const PORTS_TRIED = 20;

const LIBRARY: Part = {
  name: "library",
  outputs: ["dist/index.js", "dist/worker.js"],
  sources: ["src", "tsdown.config.ts", "scripts/finish-build.ts", "package-lock.json"],
  command: ["npm", "run", "build"],
};
const MODELS: Part = {
  name: "models",
  // `digits` is committed with the sources it was trained by, so their times say nothing about it.
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
      throw new InvalidArgumentError("A port is a whole number from 0 to 65535; 0 takes any free one.");
    }
    return value;
  };
  return new Command("npm start --")
    .description("Builds what is missing or changed, then serves the demo page and its telemetry collector.")
    .option("--port <number>", `the demo's port (default: ${DEMO_PORT}, or the next free one)`, port)
    .option(
      "--collector-port <number>",
      `the collector's port (default: ${COLLECTOR_PORT}, or the next free one)`,
      port,
    )
    .option("--data <file>", "the collector's database", join(ROOT, "telemetry.db"))
    .option("--no-collector", "serve the demo alone: it then records and sends nothing")
    .helpOption("-h, --help", "print this")
    .parse()
    .opts<Options>();
}

/** Ends the process when a part cannot be built: half a demo would only fail later and less clearly. */
function build(part: Part): void {
  const reason = whyBuild(part, ROOT);
  if (!reason) return;
  console.log(`Building the ${part.name} (${reason}): ${part.command.join(" ")}`);
  const [program = "npm", ...args] = part.command;
  const { status } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`The ${part.name} could not be built; the reason stands above.`);
  markBuilt(part, ROOT);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}

/** The port that was asked for, or from `usual` on the first free one. */
async function choosePort(asked: number | undefined, usual: number, host: string, option: string): Promise<number> {
  if (asked !== undefined) {
    if (asked === 0 || (await isFree(asked, host))) return asked;
    throw new Error(`Port ${asked} is in use. Choose another: npm start -- ${option} <number>.`);
  }
  for (let port = usual; port < usual + PORTS_TRIED; port++) {
    if (!(await isFree(port, host))) continue;
    if (port !== usual) console.log(`Port ${usual} is in use, so ${port} is taken instead.`);
    return port;
  }
  throw new Error(
    `Ports ${usual} to ${usual + PORTS_TRIED - 1} are in use. Choose one: npm start -- ${option} <number>.`,
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
  if (!url) throw new Error("The demo's server started without an address.");
  return { url, close: () => server.close() };
}

async function startCollector(port: number, data: string, origins: string[]): Promise<Running> {
  const path = pathToFileURL(join(ROOT, "collector/dist/index.js")).href;
  const collector = (await import(path)) as typeof import("../collector/src/index.js");
  // Whoever tries the demo is alone with it: nothing is to be hidden from him.
  return collector.startCollector({ port, host: COLLECTOR_HOST, data, allowOrigins: origins, minBatches: 1 });
}

async function main(): Promise<void> {
  const options = readOptions();
  // Before the builds: nobody should wait for them to learn that a port is taken.
  const port = await choosePort(options.port, DEMO_PORT, DEMO_HOST, "--port");
  const collectorPort = options.collector
    ? await choosePort(options.collectorPort, COLLECTOR_PORT, COLLECTOR_HOST, "--collector-port")
    : undefined;
  for (const part of [LIBRARY, MODELS, ...(options.collector ? [COLLECTOR] : []), DEMO]) build(part);

  const running: Running[] = [];
  let collectorUrl: string | null = null;
  let ending = false;
  const end = async () => {
    // npm, tsx and the terminal each pass Ctrl-C on; the second must not cut the first short.
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
    // The page opens under both names, and they are two origins.
    const origins = [origin, origin.replace(DEMO_HOST, "127.0.0.1")];
    const collector = await startCollector(collectorPort, options.data, origins);
    running.push(collector);
    collectorUrl = collector.url;
  }
  console.log(`\n  Demo       ${demo.url}`);
  console.log(`  Collector  ${collectorUrl ? new URL("/dashboard/", collectorUrl).href : "off (--no-collector)"}`);
  console.log("\n  Ctrl-C ends both.\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
