// Starts the demo as `npm start` does, in a process of its own.
import { type ChildProcess, spawn } from "node:child_process";

export interface RunningDemo {
  process: ChildProcess;
  /** Address of the demo. */
  demo: string;
  /** Address of the collector's dashboard; undefined without one. */
  dashboard?: string;
}

/** Resolves once the script has printed its addresses. `args` are its options. */
export function startDemo(...args: string[]): Promise<RunningDemo> {
  const child = spawn(process.execPath, ["--import", "tsx", "scripts/start.ts", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const hasCollector = !args.includes("--no-collector");
  let printed = "";
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk;
      const demo = /Demo\s+(http\S+)/.exec(printed)?.[1];
      const dashboard = /Collector\s+(http\S+)/.exec(printed)?.[1];
      if (demo && (dashboard || !hasCollector)) resolve({ process: child, demo, dashboard });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`start.ts ended with ${code}:\n${printed}`)));
  });
}
