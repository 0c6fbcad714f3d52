// Runs the pipeline as a process of its own, as CI does: a training in the demo's process would stop its host.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Resolves with its last line: the result, and the version if there is one. */
export async function runPipelineProcess(
  args: readonly string[],
  env: Record<string, string>,
  log: (line: string) => void,
): Promise<{ result: string; version: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", "pipeline/main.ts", ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let last = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.trimEnd().split("\n")) {
        log(line);
        last = line;
      }
    });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`The pipeline ended with ${code}: ${last}`);
  const [result = "", version = ""] = last.split(" ");
  return { result, version };
}
