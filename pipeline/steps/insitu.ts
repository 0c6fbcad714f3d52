// Runs the command `insitu`, as a publisher would type it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Prints what the command prints, and throws unless it ends with one of the exit codes. */
export async function insitu(
  log: (line: string) => void,
  args: readonly string[],
  { codes = [0], env = {}, signal }: { codes?: number[]; env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<{ code: number; output: string }> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing; run "npm run build" first.`);
  log(`$ insitu ${args.join(" ")}`);
  // Tokens are passed by the environment: arguments are for everybody on the machine to read.
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
    signal,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const line of text.trimEnd().split("\n")) log(`  ${line}`);
    });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === null || !codes.includes(code)) throw new Error(`insitu ${args[0]} ended with ${code}: ${output.trim()}`);
  return { code, output };
}
