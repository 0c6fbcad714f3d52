// `npm run bench`: insitu against plain TensorFlow.js in interleaved runs, in a real browser.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { benchLoads } from "./loads.js";
import { benchMemory } from "./memory.js";
import type { Cores } from "./networks.js";
import { buildPages, ROOT } from "./page-build.js";
import { openPeers } from "./peers/site.js";
import { benchPersonal } from "./personal.js";
import { benchPredict } from "./predict.js";
import { benchPreprocess } from "./preprocess.js";
import { benchRanking } from "./ranking.js";
import { createReport } from "./report.js";
import { benchStart } from "./start.js";
import { benchTelemetry } from "./telemetry.js";
import { benchThroughput } from "./throughput.js";

const PARTS = [
  "predict",
  "preprocess",
  "throughput",
  "telemetry",
  "personal",
  "start",
  "loads",
  "memory",
  "ranking",
] as const;
type Part = (typeof PARTS)[number];

interface Options {
  rounds: number;
  only?: string;
  cores?: Cores;
  webgpu: boolean;
  peers: boolean;
  json: boolean;
  strict: boolean;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 3) throw new InvalidArgumentError("It must be a whole number of at least 3.");
  return value;
}

function part(name: string, before: Part[] = []): Part[] {
  if (!PARTS.includes(name as Part)) throw new InvalidArgumentError(`It must be one of ${PARTS.join(", ")}.`);
  return [...before, name as Part];
}

const program = new Command("npm run bench --")
  .description(
    "Compares insitu with plain tfjs: predictions, preparing pictures, many at once, starts, loads of packages, memory of a load; with itself when it is watched; and what learning from a user gives and costs.",
  )
  .argument("[part...]", `${PARTS.join(", ")}; default all`, part)
  .option("--rounds <n>", "interleaved rounds a case of predict; the other parts take fewer unless told", whole, 50)
  .option("--only <name>", "cases of this model or package only")
  .addOption(new Option("--cores <which>", "predict on one thread or on all cores only").choices(["one", "all"]))
  .option("--peers", "adds LiteRT.js and onnxruntime-web to predict; installs them in bench/peers first", false)
  .option("--webgpu", "adds objects on WebGPU; without a GPU in software, and very slow", false)
  .option("--json", "prints the figures as JSON", false)
  .option("--strict", "exits with 1 when a target is missed", false)
  .addHelpText(
    "after",
    "\npredict runs twice: on one thread (a page that is not cross-origin isolated) and on all cores (one that is). Results are also written to bench/results/.",
  );
program.parse();
const options = program.opts<Options>();
const parts = (program.processedArgs[0] as Part[] | undefined) ?? [];
const wanted = parts.length > 0 ? parts : PARTS;
const report = createReport(options.json);

const before = loadavg()[0] ?? 0;
// Ranking is simulated here, in no browser.
if (wanted.some((name) => name !== "ranking")) await buildPages();
let browser = "";
// Only predict has so many rounds; the others know their own number, and a number that was asked for goes before it.
const given = {
  only: options.only,
  rounds: program.getOptionValueSource("rounds") === "cli" ? options.rounds : undefined,
};
if (wanted.includes("predict"))
  browser = await benchPredict(options, report, options.peers ? await openPeers(report.say) : undefined);
if (wanted.includes("preprocess")) browser = await benchPreprocess(options, report);
if (wanted.includes("throughput")) browser = await benchThroughput(given, report);
if (wanted.includes("telemetry")) browser = await benchTelemetry(given, report);
if (wanted.includes("personal")) browser = await benchPersonal(given, report);
if (wanted.includes("start")) browser = await benchStart(given, report);
if (wanted.includes("loads")) browser = await benchLoads(options, report);
if (wanted.includes("memory")) browser = await benchMemory(options, report);
if (wanted.includes("ranking")) await benchRanking({}, report);

const after = loadavg()[0] ?? 0;
// Threads that must share a core with another program wait for each other: such ratios say nothing.
report.say(
  `\n${cpus().length} cores; load of the machine ${before.toFixed(1)} before, ${after.toFixed(1)} after (over a minute)`,
);
const results = { browser, cores: cpus().length, load: { before, after }, rows: report.rows };
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
writeFileSync(join(ROOT, "bench/results/latest.json"), JSON.stringify(results, null, 2));
if (options.json) console.log(JSON.stringify(results, null, 2));
// A row that is worth nothing fails the run always, a missed target only where that is asked for.
process.exitCode = report.errors > 0 || (options.strict && report.missed > 0) ? 1 : 0;
