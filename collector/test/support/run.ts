// Starts what the tests need for real: a collector, its command, a Prometheus; and ends it by its own process id.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Collector, type CollectorOptions, startCollector } from "../../src/index.js";

/** A folder of its own, and what removes it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "insitu-collector-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function withCollector(
  options: CollectorOptions,
  work: (collector: Collector, data: string) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder();
  const data = join(folder.path, "telemetry.db");
  const collector = await startCollector({ port: 0, data, readCache: 0, ...options });
  try {
    await work(collector, data);
  } finally {
    await collector.close();
    folder.remove();
  }
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: bytes as string,
  });
}

/** The value of one line of `GET /metrics`; undefined when there is none. */
export async function figure(url: string, line: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

export async function until<T>(what: string, ms: number, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`Waited ${ms} ms for ${what}, in vain.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export interface Running {
  child: ChildProcess;
  url: string;
  output: () => string;
}

const SOURCE = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const BUILT = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** What is published, which starts in half the time; the sources where they are newer. */
const MAIN = isBuilt() ? [BUILT] : ["--import", import.meta.resolve("tsx"), SOURCE];

function isBuilt(): boolean {
  if (!existsSync(BUILT)) return false;
  const builtAt = statSync(BUILT).mtimeMs;
  const folder = dirname(SOURCE);
  return readdirSync(folder, { recursive: true }).every(
    (file) => statSync(join(folder, String(file))).mtimeMs <= builtAt,
  );
}

/** Runs the command to its end. */
export function command(...args: string[]) {
  return spawnSync(process.execPath, [...MAIN, ...args], { encoding: "utf8", timeout: 30_000 });
}

/** Starts the command as a process of its own; resolves once it says where it listens. */
export async function startCommand(...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [...MAIN, "--read-cache", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  const url = await until("the collector's address", 30_000, async () => {
    if (child.exitCode !== null) throw new Error(`The collector ended at once: ${text}`);
    return text.match(/listens on (http:\S+),/)?.[1];
  });
  return { child, url, output: () => text };
}

/** Sends a signal and resolves with the exit code, null when the signal ended it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  return (await ended)[0] as number | null;
}

/** The path of a program of Debian's package `prometheus`; says how to get it when it is missing. */
export function prometheusTool(name: "prometheus" | "promtool"): string {
  const found = (process.env.PATH ?? "")
    .split(":")
    .map((folder) => join(folder || ".", name))
    .concat(`/usr/bin/${name}`)
    .find((path) => existsSync(path));
  if (!found) throw new Error(`${name} is not installed, and this test needs the real one: apt-get install prometheus`);
  return found;
}
