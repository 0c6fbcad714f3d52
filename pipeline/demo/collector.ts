// Starts the collector of the demo as a process of its own, with the triggers of retraining.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RetrainOptions } from "../../collector/src/retrain/config.js";

const MAIN = fileURLToPath(new URL("../../collector/dist/main.js", import.meta.url));

export interface Secrets {
  readToken: string;
  operatorToken: string;
  trustedKey: string;
  webhook: string;
}

/**
 * Windows of seconds, where a site has days: the demo has minutes. Without the trigger `drift`: ADWIN sees the shift after a hundred labels,
 * with which nothing can be trained yet.
 */
export function retrainOptions(webhook: string, secret: string): RetrainOptions {
  return {
    checkEvery: "1s",
    models: {
      digits: {
        webhook: { url: webhook, secret, firstDelay: "1s" },
        triggers: {
          accuracy: { baseline: 0.98, delta: 0.03, window: "15s", windows: 3, minLabels: 60 },
        },
        coolDown: "10m",
        runLimit: "10m",
      },
    },
  };
}

export interface RunningCollector {
  url: string;
  close(): Promise<void>;
}

export async function startCollector(
  folder: string,
  port: number,
  secrets: Secrets,
  origin: string,
  retrain: RetrainOptions,
): Promise<RunningCollector> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing; run "npm run build:collector" first.`);
  const file = join(folder, "retrain.json");
  writeFileSync(file, JSON.stringify(retrain));
  const args = [
    ...[MAIN, "--port", String(port), "--data", join(folder, "telemetry.db"), "--retrain", file, "--min-batches", "1"],
    ...["--read-token", secrets.readToken, "--operator-token", secrets.operatorToken],
    ...["--trusted-key", secrets.trustedKey, "--allow-origin", origin, "--read-cache", "200"],
  ];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const look = (part: string) => {
      output += part;
      const found = /listens on (http:\S+),/.exec(output)?.[1];
      if (found) resolve(found);
    };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", look);
    child.once("exit", (code) => reject(new Error(`The collector ended with ${code}: ${output}`)));
  });
  return {
    url,
    async close() {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
