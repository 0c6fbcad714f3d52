// `npm run load --workspace insitu-collector`: a collector of its own under a steady stream of events, from this machine.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";

const BATCH = 50;

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new InvalidArgumentError("It must be 1 to 100,000.");
  return value;
}

const { seconds, rate, connections } = new Command("npm run load --workspace insitu-collector --")
  .description(
    "Sends events to a collector on this machine and prints rate, latency and memory; exits with 1 when a target is missed.",
  )
  .option("--seconds <n>", "for so long, at most 300", whole, 60)
  .option("--rate <n>", "events a second, in batches of 50", whole, 5_000)
  .option("--connections <n>", "at the same time; more than 256 to see what is shed", whole, 32)
  .parse()
  .opts<{ seconds: number; rate: number; connections: number }>();

/** Fifty predictions as a page tells of them. */
function body(): string {
  const attribute = (key: string, value: object) => ({ key, value });
  const text = (stringValue: string) => ({ stringValue });
  const logRecords = Array.from({ length: BATCH }, () => ({
    timeUnixNano: `${Date.now()}000000`,
    severityNumber: 9,
    eventName: "ml.prediction",
    attributes: [
      attribute("ml.prediction.id", text(Math.random().toString(16).slice(2).padEnd(32, "0"))),
      attribute("ml.model.name", text("digits")),
      attribute("ml.model.version", text("1.0.0")),
      attribute("ml.rollout.arm", text("stable")),
      attribute("ml.runtime.backend", text("wasm")),
      attribute("ml.inference.mode", text("online")),
      attribute("ml.prediction.confidence", { doubleValue: Math.random() }),
      attribute("ml.inference.duration", { doubleValue: Math.random() / 10 }),
      attribute("ml.sampling.probability", { doubleValue: 0.1 }),
    ],
  }));
  const resource = { attributes: [attribute("service.name", text("load"))] };
  return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope: { name: "insitu" }, logRecords }] }] });
}

const id = () => Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join("");

const folder = mkdtempSync(join(tmpdir(), "insitu-load-"));
const command = new URL("../dist/main.js", import.meta.url).pathname;
const child = spawn(process.execPath, [command, "--port", "0", "--data", join(folder, "load.db"), "--rate", "100000"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const url = await new Promise<string>((resolve, reject) => {
  child.once("exit", () => reject(new Error("The collector ended. Build it first: npm run build:collector.")));
  child.stdout.once("data", (line: Buffer) => resolve(/http:\/\/[\d.:]+/.exec(line.toString())?.[0] ?? ""));
});

const agent = new Agent({ keepAlive: true, maxSockets: connections });
const latencies: number[] = [];
let failed = 0;
/** From when it should have been sent: a generator that falls behind must not hide what the wait is. */
function send(due: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (isTaken: boolean) => {
      if (isTaken) latencies.push(performance.now() - due);
      else failed += 1;
      resolve();
    };
    const options = { method: "POST", agent, headers: { "content-type": "application/json" } };
    const sent = request(`${url}/v1/logs?batch=${id()}`, options, (response) => {
      response.resume().once("end", () => done(response.statusCode === 200));
    });
    sent.once("error", () => done(false));
    sent.end(body());
  });
}

const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
let peak = 0;
const watch = setInterval(() => {
  peak = Math.max(peak, memory());
}, 250);

const batches = Math.floor((Math.min(seconds, 300) * rate) / BATCH);
const every = (BATCH / rate) * 1000;
console.log(`${rate} events a second in batches of ${BATCH} for ${Math.min(seconds, 300)} s, to ${url}`);
const started = performance.now();
const all: Promise<void>[] = [];
for (let n = 0; n < batches; n += 1) {
  const due = started + n * every;
  const early = due - performance.now();
  if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  all.push(send(due));
}
await Promise.all(all);
const took = (performance.now() - started) / 1000;
clearInterval(watch);
const text = await (await fetch(`${url}/metrics`)).text();
const counted = Number(/^insitu_collector_events_total (\d+)/m.exec(text)?.[1]);
child.removeAllListeners("exit").kill("SIGTERM");
await new Promise((resolve) => child.once("exit", resolve));
agent.destroy();
rmSync(folder, { recursive: true, force: true });

latencies.sort((a, b) => a - b);
const at = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? Number.NaN;
const perSecond = (latencies.length * BATCH) / took;
const targets: [what: string, value: number, isMet: boolean, target: string][] = [
  ["events a second", perSecond, perSecond >= 0.99 * rate, `at least ${rate}`],
  ["p50, ms", at(0.5), true, "reported"],
  ["p95, ms", at(0.95), true, "reported"],
  ["p99, ms", at(0.99), at(0.99) < 100, "under 100"],
  ["peak memory, MB", peak, peak < 400, "under 400"],
  ["refused or broken off", failed, failed === 0, "none"],
  ["acknowledged and not counted", latencies.length * BATCH - counted, latencies.length * BATCH === counted, "none"],
];
for (const [what, value, isMet, target] of targets)
  console.log(`${what.padEnd(30)}${value.toFixed(1).padStart(10)}   ${target}${isMet ? "" : ": MISSED"}`);
process.exit(targets.every(([, , isMet]) => isMet) ? 0 : 1);
