// The built `insitu` command, run as a process.
import { spawnSync } from "node:child_process";
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
