// `npm run measure`: prints the limits that the code keeps (docs/style.md) and fails when one is exceeded.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./checks/paths.js";
import { duplicates, MIN_LINES } from "./measure/duplicates.js";
import { longFunctions, MAX_LINES } from "./measure/functions.js";

const MAX_TOP_FILES = 4;
const FOLDERS = [
  "src",
  "collector/src",
  "collector/dashboard",
  "collector/bench",
  "demo",
  "bench",
  "models",
  "scripts",
];

/** What may exceed a limit, each with its reason: functions by `file name`, duplicates by their two files. */
interface Exceptions {
  functions: Record<string, string>;
  duplicates: Record<string, string>;
}

const exceptions = JSON.parse(readFileSync(join(ROOT, "scripts/measure/exceptions.json"), "utf8")) as Exceptions;

/** Prints what was found under a heading; returns how many entries have no reason. */
function report(heading: string, found: { key: string; text: string }[], reasons: Record<string, string> = {}): number {
  const open = found.filter(({ key }) => !(key in reasons));
  const excused = found.length - open.length;
  console.log(`${heading}: ${open.length}${excused > 0 ? `, and ${excused} with a reason` : ""}`);
  for (const { key, text } of found) console.log(`  ${text}${key in reasons ? ` (${reasons[key]})` : ""}`);
  const stale = Object.keys(reasons).filter((key) => !found.some((entry) => entry.key === key));
  for (const key of stale)
    console.log(`  scripts/measure/exceptions.json names "${key}", which is within the limit: remove it`);
  return open.length + stale.length;
}

function topFiles(): number {
  const files = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isFile());
  console.log(`files at the top of src: ${files.length} of at most ${MAX_TOP_FILES}`);
  for (const { name } of files) console.log(`  ${name}`);
  return Math.max(0, files.length - MAX_TOP_FILES);
}

function functions(): number {
  const found = longFunctions(FOLDERS).map(({ file, line, name, lines }) => ({
    key: `${file} ${name}`,
    text: `${file}:${line} ${name}, ${lines} lines`,
  }));
  return report(`functions of more than ${MAX_LINES} lines outside tests`, found, exceptions.functions);
}

function repeatedRuns(): number {
  const found = duplicates(FOLDERS).map(({ lines, files, starts }) => ({
    key: files.join(" + "),
    text: `${files[0]}:${starts[0]} and ${files[1]}:${starts[1]}, ${lines} lines`,
  }));
  return report(`repeated runs of ${MIN_LINES} lines or more`, found, exceptions.duplicates);
}

/** Unused files, exports and dependencies, by knip. */
function unused(): number {
  const options = { cwd: ROOT, encoding: "utf8", shell: process.platform === "win32" } as const;
  const { status, stdout, stderr } = spawnSync("npx", ["knip", "--no-progress"], options);
  const lines = `${stdout}${stderr}`.trim().split("\n").filter(Boolean);
  console.log(`unused files, exports and dependencies: ${status === 0 ? "none" : ""}`);
  for (const line of lines) console.log(`  ${line}`);
  return status === 0 ? 0 : 1;
}

const exceeded = [topFiles, functions, repeatedRuns, unused].map((measure) => measure());
process.exitCode = exceeded.some((count) => count > 0) ? 1 : 0;
