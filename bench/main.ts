// `npm run bench`: insitu against plain TensorFlow.js in interleaved runs, in a real browser.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { benchLoads } from "./loads.js";
import { benchMemory } from "./memory.js";
import { buildPages, ROOT } from "./page-build.js";
import { benchPredict } from "./predict.js";
import { benchPreprocess } from "./preprocess.js";
import { createReport } from "./report.js";

const PARTS = ["predict", "preprocess", "loads", "memory"] as const;
type Part = (typeof PARTS)[number];

interface Options {
  rounds: number;
  only?: string;
  webgpu: boolean;
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
  .description("Compares insitu with plain tfjs: predictions, preparing pictures, loads of packages, memory of a load.")
  .argument("[part...]", `${PARTS.join(", ")}; default all`, part)
  .option("--rounds <n>", "interleaved rounds a case of predict; loads take fewer", whole, 50)
  .option("--only <name>", "cases of this model or package only")
  .option("--webgpu", "adds objects on WebGPU; without a GPU in software, and very slow", false)
  .option("--json", "prints the figures as JSON", false)
  .option("--strict", "exits with 1 when a target is missed", false)
  .addHelpText(
    "after",
    "\nBoth sides run on one thread with SIMD: the page is not cross-origin isolated. Results are also written to bench/results/.",
  );
program.parse();
const options = program.opts<Options>();
const parts = (program.processedArgs[0] as Part[] | undefined) ?? [];
const wanted = parts.length > 0 ? parts : PARTS;
const report = createReport(options.json);

await buildPages();
let browser = "";
if (wanted.includes("predict")) browser = await benchPredict(options, report);
if (wanted.includes("preprocess")) browser = await benchPreprocess(options, report);
if (wanted.includes("loads")) browser = await benchLoads(options, report);
if (wanted.includes("memory")) browser = await benchMemory(options, report);

const results = { browser, rows: report.rows };
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
writeFileSync(join(ROOT, "bench/results/latest.json"), JSON.stringify(results, null, 2));
if (options.json) console.log(JSON.stringify(results, null, 2));
process.exitCode = options.strict && report.missed > 0 ? 1 : 0;
