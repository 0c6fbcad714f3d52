// Runs a command or a Vitest project as one check and counts what passed.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "./paths.js";

export interface Count {
  passed: number;
  failed: number;
  /** The failed tests, each with what it said first. */
  failures?: string[];
}

/** Writes a check's output; what checks that run side by side write is not mixed. */
export type Print = (text: string) => void;

/** An entry of the table in scripts/check.ts. */
export interface Check {
  name: string;
  about: string;
  /** A thrown error counts as one failure. */
  run: (print: Print) => Promise<Count>;
  /** Checks that must end first because this one reads what they write. */
  needs?: string[];
  /** A file that this check writes: while it is there, a check that needs it can run without this one. */
  writes?: string;
  /** Its pages use all cores, so that of these checks one runs at a time: two of them take twice as long each, and waits run out. */
  usesBrowser?: boolean;
  /** Nothing may run beside it, because it measures durations or peaks. */
  alone?: boolean;
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

function start(program: string, args: string[], print?: Print): Promise<Done> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
      timeout: LIMIT_MS,
    });
    let stdout = "";
    let output = "";
    const take = (data: Buffer) => {
      output += data;
      print?.(String(data));
    };
    child.stdout.on("data", (data: Buffer) => {
      stdout += data;
      take(data);
    });
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, stdout, output }));
  });
}

/** A command as a check: passes when it exits with 0; what it printed is shown when it does not. */
export function command(program: string, ...args: string[]): Check["run"] {
  return async (print) => {
    const { code, output } = await start(program, args);
    if (code === 0) return { passed: 1, failed: 0 };
    print(`${[program, ...args].join(" ")} ended with ${code}:\n${output.trim()}\n`);
    return { passed: 0, failed: 1 };
  };
}

/** What a command prints on standard output; throws when it fails. */
export async function outputOf(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, output } = await start(program, args);
  if (code !== 0) throw new Error(`${[program, ...args].join(" ")} ended with ${code}:\n${output.trim()}`);
  return stdout;
}

interface Report {
  numTotalTests: number;
  numPassedTests: number;
  testResults: {
    name: string;
    message?: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

/** A Vitest project; each test counts. A skipped test is a failure: it checks nothing. */
export function vitest(project: string): Check["run"] {
  return async (print) => {
    const folder = join(ROOT, ".cache", "vitest");
    const file = join(folder, `${project}.json`);
    mkdirSync(folder, { recursive: true });
    rmSync(file, { force: true });
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const { code } = await start("npx", ["vitest", "run", "--project", project, ...reporters], print);
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const passed = report.numPassedTests;
    const failed = report.numTotalTests - passed;
    if (report.numTotalTests === 0) throw new Error(`The project "${project}" ran no test.`);
    // A file that cannot be loaded or an error outside a test fails the run without failing a test.
    return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, failures: failuresOf(report) };
  };
}

// A test's error may hold a page's whole log.
const MAX_REASON_LENGTH = 400;

function failuresOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(ROOT, name);
    const failed = assertionResults.filter(({ status }) => status !== "passed");
    const line = (what: string, reason: string) => `${file}: ${what}: ${reason.slice(0, MAX_REASON_LENGTH)}`;
    if (failed.length === 0 && message) return [line("cannot be run", message)];
    return failed.map(({ fullName, status, failureMessages = [] }) => line(fullName, failureMessages[0] ?? status));
  });
}
