// Finds runs of ten lines or more that occur twice, with jscpd.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../checks/paths.js";

export const MIN_LINES = 10;

export interface Duplicate {
  lines: number;
  /** The two files, in alphabetical order. */
  files: [string, string];
  /** The first lines of the two runs, from 1. */
  starts: [number, number];
}

interface Report {
  duplicates: { lines: number; firstFile: Side; secondFile: Side }[];
}

interface Side {
  name: string;
  start: number;
}

export function duplicates(folders: string[]): Duplicate[] {
  const output = mkdtempSync(join(tmpdir(), "insitu-duplicates-"));
  const args = ["jscpd", ...folders, `--min-lines=${MIN_LINES}`, "--format=typescript,css,html", "--gitignore"];
  args.push("--ignore=**/dist/**,**/node_modules/**", "--silent", "--reporters=json", `--output=${output}`);
  const { status, stderr } = spawnSync("npx", args, {
    cwd: ROOT,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`jscpd ended with ${status}: ${stderr}`);
  const report = JSON.parse(readFileSync(join(output, "jscpd-report.json"), "utf8")) as Report;
  rmSync(output, { recursive: true });
  return report.duplicates.map(({ lines, firstFile, secondFile }) => {
    const [a, b] = [firstFile, secondFile].sort((x, y) => x.name.localeCompare(y.name)) as [Side, Side];
    return { lines, files: [a.name, b.name], starts: [a.start, b.start] };
  });
}
