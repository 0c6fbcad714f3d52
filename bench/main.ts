// `npm run bench`: compares insitu with plain TensorFlow.js in interleaved runs in a real browser.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { benchDrift } from "./drift.js";
import { benchGpu, benchGpuStart } from "./gpu.js";
import { benchLoads } from "./loads.js";
import { benchMemory } from "./memory.js";
import type { Cores } from "./networks.js";
import { benchOverhead } from "./overhead.js";
import { buildPages, ROOT } from "./page-build.js";
import { openPeers } from "./peers/site.js";
import { benchPersonal } from "./personal.js";
import { benchPlan } from "./plan.js";
import { benchPredict } from "./predict.js";
import { benchPreprocess } from "./preprocess.js";
import { benchRanking } from "./ranking.js";
import { createReport } from "./report.js";
import { benchRollout } from "./rollout.js";
import { benchStart } from "./start.js";
import { benchTelemetry } from "./telemetry.js";
import { benchThroughput } from "./throughput.js";
import { benchVersions } from "./versions.js";

const PARTS = [
  "predict",
  "preprocess",
  "throughput",
  "overhead",
  "telemetry",
  "personal",
  "start",
  "loads",
  "memory",
  "ranking",
  "rollout",
  "drift",
  "plan",
  "gpu",
  "versions",
] as const;
type Part = (typeof PARTS)[number];

interface Options {
  rounds: number;
  only?: string;
  against?: string;
  cores?: Cores;
  webgpu: boolean;
  hardware: boolean;
  peers: boolean;
  json: boolean;
  strict: boolean;
}

function roundCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 3) throw new InvalidArgumentError("It must be an integer of at least 3.");
  return value;
}

function part(name: string, before: Part[] = []): Part[] {
  if (!PARTS.includes(name as Part)) throw new InvalidArgumentError(`It must be one of ${PARTS.join(", ")}.`);
  return [...before, name as Part];
}

const program = new Command("npm run bench --")
  .description(
    "Compares insitu with plain tfjs: predictions, image preprocessing, throughput, the cost of a call beside its computing, starts, package loads, peak memory. Also measures the cost of telemetry and of a channel, accuracy and cost of personal models and ranking, and the detectors of drift, and plans beside tfjs's executor, on wasm and on WebGPU.",
  )
  .argument("[part...]", `${PARTS.join(", ")}; default: all but versions`, part)
  .option(
    "--rounds <n>",
    "interleaved rounds per case of predict; the other parts use fewer by default",
    roundCount,
    50,
  )
  .option("--only <name>", "run only the cases of this model or package")
  .option("--against <folder>", "for versions: the dist folder of another build of insitu")
  .addOption(
    new Option("--cores <which>", "run predict only on one thread, or only on all cores").choices(["one", "all"]),
  )
  .option("--peers", "add LiteRT.js and onnxruntime-web to predict; installs them in bench/peers first", false)
  .option("--webgpu", "add objects on WebGPU; very slow without a GPU, since it then runs in software", false)
  .option("--hardware", "for gpu: the machine's GPU instead of WebGPU in software", false)
  .option("--json", "print the figures as JSON", false)
  .option("--strict", "exit with 1 if a target is missed", false)
  .addHelpText(
    "after",
    "\npredict runs twice: on one thread (a page that is not cross-origin isolated) and on all cores (one that is). Results are also written to bench/results/.",
  );
program.parse();
const options = program.opts<Options>();
const parts = (program.processedArgs[0] as Part[] | undefined) ?? [];
const wanted = parts.length > 0 ? parts : PARTS.filter((name) => name !== "versions");
const report = createReport(options.json);

const before = loadavg()[0] ?? 0;
// These run in Node, without a browser.
const IN_NODE: Part[] = ["ranking", "drift", "plan"];
if (wanted.some((name) => !IN_NODE.includes(name))) await buildPages();
let browser = "";
// The default of --rounds is for predict only. The other parts have their own default.
const given = {
  only: options.only,
  rounds: program.getOptionValueSource("rounds") === "cli" ? options.rounds : undefined,
};
if (wanted.includes("predict"))
  browser = await benchPredict(options, report, options.peers ? await openPeers(report.say) : undefined);
if (wanted.includes("preprocess")) browser = await benchPreprocess(options, report);
if (wanted.includes("throughput")) browser = await benchThroughput(given, report);
if (wanted.includes("overhead")) browser = await benchOverhead(given, report);
if (wanted.includes("telemetry")) browser = await benchTelemetry(given, report);
if (wanted.includes("personal")) browser = await benchPersonal(given, report);
if (wanted.includes("start")) browser = await benchStart(given, report);
if (wanted.includes("loads")) browser = await benchLoads(options, report);
if (wanted.includes("memory")) browser = await benchMemory(options, report);
if (wanted.includes("ranking")) await benchRanking({}, report);
if (wanted.includes("rollout")) browser = await benchRollout(given, report);
if (wanted.includes("drift")) benchDrift(given, report);
if (wanted.includes("plan")) await benchPlan(given, report);
if (wanted.includes("gpu")) {
  const where = { ...given, hardware: options.hardware };
  browser = await benchGpu(where, report);
  await benchGpuStart(where, report);
}
if (wanted.includes("versions"))
  browser = await benchVersions({ against: options.against, rounds: given.rounds }, report);

const after = loadavg()[0] ?? 0;
// On a loaded machine, threads wait for each other and the ratios are not valid.
report.say(`\n${cpus().length} cores; load average ${before.toFixed(1)} before, ${after.toFixed(1)} after (1 minute)`);
const results = { browser, cores: cpus().length, load: { before, after }, rows: report.rows };
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
writeFileSync(join(ROOT, "bench/results/latest.json"), JSON.stringify(results, null, 2));
if (options.json) console.log(JSON.stringify(results, null, 2));
// An invalid row always fails the run, a missed target only with --strict.
process.exitCode = report.errors > 0 || (options.strict && report.missed > 0) ? 1 : 0;
