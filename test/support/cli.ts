// The built `insitu` command, run as a process.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Runs `insitu` with arguments. Throws when the library was not built. */
export function insitu(...args: string[]) {
  return insituIn(process.cwd(), ...args);
}

/** The same in another folder. */
export function insituIn(cwd: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  if (!existsSync(MAIN)) throw new Error("dist/cli/main.js is missing. Run `npm run build` first.");
  return spawnSync(process.execPath, [MAIN, ...args], { cwd, encoding: "utf8", timeout: 20_000 });
}

export interface CliResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Starts it, for a test that runs a server itself, runs several at once, or ends it. */
export function startInsitu(
  args: string[],
  env: Record<string, string> = {},
): { process: ChildProcess; done: Promise<CliResult> } {
  if (!existsSync(MAIN)) throw new Error("dist/cli/main.js is missing. Run `npm run build` first.");
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env }, timeout: 120_000 });
  const done = new Promise<CliResult>((resolve) => {
    const result = { stdout: "", stderr: "" };
    child.stdout.on("data", (part) => {
      result.stdout += part;
    });
    child.stderr.on("data", (part) => {
      result.stderr += part;
    });
    child.on("close", (status) => resolve({ status, ...result }));
  });
  return { process: child, done };
}

export const insituAsync = (...args: string[]): Promise<CliResult> => startInsitu(args).done;
