// Runs a command or a vitest project as one check and counts what passed.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.js";

export interface Count {
  passed: number;
  failed: number;
}

export interface Check {
  name: string;
  about: string;
  /** A thrown error counts as one failure. */
  run: () => Promise<Count>;
}

/** Longer than the slowest check needs on two busy cores; a check that hangs must not hang the run. */
const LIMIT_MS = 25 * 60_000;

interface Done {
  code: number;
  /** Standard output alone. */
  stdout: string;
  /** Standard output and standard error, as they came. */
  output: string;
}

function start(program: string, args: string[], show: boolean): Promise<Done> {
  return new Promise((done, refuse) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
      shell: process.platform === "win32",
      timeout: LIMIT_MS,
    });
    let stdout = "";
    let output = "";
    child.stdout?.on("data", (data: Buffer) => {
      stdout += data;
      output += data;
    });
    child.stderr?.on("data", (data: Buffer) => {
      output += data;
    });
    child.once("error", refuse);
    child.once("close", (code) => done({ code: code ?? 1, stdout, output }));
  });
}

/** A command as a check: passes when it exits with 0; what it printed is shown when it does not. */
export function command(program: string, ...args: string[]): () => Promise<Count> {
  return async () => {
    const { code, output } = await start(program, args, false);
    if (code === 0) return { passed: 1, failed: 0 };
    console.log(`${[program, ...args].join(" ")} ended with ${code}:\n${output.trim()}`);
    return { passed: 0, failed: 1 };
  };
}

/** What a command prints on standard output; throws when it fails. */
export async function outputOf(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, output } = await start(program, args, false);
  if (code !== 0) throw new Error(`${[program, ...args].join(" ")} ended with ${code}:\n${output.trim()}`);
  return stdout;
}

interface Report {
  numTotalTests: number;
  numPassedTests: number;
  numFailedTests: number;
}

/** A vitest project; each test counts. A skipped test is a failure: it checks nothing. */
export function vitest(project: string): () => Promise<Count> {
  return async () => {
    const folder = join(ROOT, ".cache", "vitest");
    const file = join(folder, `${project}.json`);
    mkdirSync(folder, { recursive: true });
    rmSync(file, { force: true });
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const { code } = await start("npx", ["vitest", "run", "--project", project, ...reporters], true);
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const passed = report.numPassedTests;
    const failed = report.numTotalTests - passed;
    if (report.numTotalTests === 0) throw new Error(`The project "${project}" ran no test.`);
    // A file that cannot be loaded or an error outside a test fails the run without failing a test.
    return { passed, failed: failed === 0 && code !== 0 ? 1 : failed };
  };
}
