// An app outside of the repository: its folder, its packages, its commands.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { serverPort } from "./port.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SHELL = process.platform === "win32";
const ENV = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", NEXT_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
const QUIET = ["--no-audit", "--no-fund", "--prefer-offline"];

export interface App {
  folder: string;
  /** Runs a program; rejects with all that it printed when it fails. Resolves with its standard output. */
  run(program: string, ...args: string[]): Promise<string>;
  /** Installs the packages of package.json, and the given ones. */
  install(...packages: string[]): Promise<void>;
  /** Puts the package `digits` into a folder of the app. */
  putModels(publicFolder: string): void;
  /** Takes it away again: what is loaded afterwards comes from the browser's store. */
  removeModels(publicFolder: string): void;
  remove(): void;
}

/** A new folder with copies of folders of test/consumers/apps. */
export function createApp(...templates: string[]): App {
  const folder = mkdtempSync(join(tmpdir(), "insitu-consumer-"));
  for (const name of templates) cpSync(join(ROOT, "test/consumers/apps", name), folder, { recursive: true });
  const run: App["run"] = (program, ...args) =>
    new Promise((resolve, reject) => {
      const settings = { cwd: folder, env: ENV, shell: SHELL, maxBuffer: 1e8 };
      execFile(program, args, settings, (error, stdout, stderr) => {
        if (error) reject(new Error(`${[program, ...args].join(" ")}: ${error.message}\n${stdout}\n${stderr}`));
        else resolve(stdout);
      });
    });
  return {
    folder,
    run,
    install: async (...packages) => void (await run("npm", "install", ...QUIET, ...packages)),
    putModels: (to) =>
      cpSync(join(ROOT, "models/digits/package"), join(folder, to, "models/digits"), { recursive: true }),
    removeModels: (from) => rmSync(join(folder, from, "models"), { recursive: true }),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

const installed = new Map<string, Promise<App>>();

/** An app with its packages and the packed library, installed once for all tests of a file. */
export function installApp(name: string): Promise<App> {
  const found = installed.get(name) ?? install(name);
  installed.set(name, found);
  return found;
}

async function install(name: string): Promise<App> {
  const app = createApp(name, "shared");
  await app.install(inject("library"));
  return app;
}

export async function removeApps(): Promise<void> {
  for (const app of installed.values()) (await app.catch(() => undefined))?.remove();
  installed.clear();
}

export interface RunningServer {
  url: string;
  stop(): Promise<void>;
}

/** Starts a server of the app's own, which takes `--port`, and waits until it answers. */
export async function startOwnServer(app: App, script: string, ...args: string[]): Promise<RunningServer> {
  const port = await serverPort();
  const url = `http://127.0.0.1:${port}/`;
  const program = join(app.folder, "node_modules", script);
  const server = spawn(process.execPath, [program, ...args, "--port", String(port)], {
    cwd: app.folder,
    env: ENV,
    // A group of its own: Next.js starts processes of its own.
    detached: !SHELL,
  });
  let output = "";
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (data: Buffer) => (output += data));
  while (!(await answers(url))) {
    if (server.exitCode !== null) throw new Error(`${script} ended with ${server.exitCode}: ${output}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  return { url, stop: () => stop(server) };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ status }) => status < 500,
    () => false,
  );

function stop(server: ChildProcess): Promise<void> {
  return new Promise((done) => {
    server.once("exit", () => done());
    if (SHELL || server.pid === undefined) server.kill();
    else process.kill(-server.pid, "SIGKILL");
  });
}
