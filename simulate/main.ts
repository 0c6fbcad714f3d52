// `npm run simulate`: what rollouts, drift detection and the collector's decisions do to a fleet of pages, printed as a table.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { toMarkdown, toText } from "./report.js";
import { type Row, SCENARIOS } from "./scenarios.js";
import { WHOLE_RUNS } from "./whole-runs.js";
import { WORLD } from "./world.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Options {
  seeds: number;
  pages: number;
  realPages: number;
  whole: boolean;
  json: boolean;
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`);
    return value;
  };
}

const NAMES = [...SCENARIOS, ...WHOLE_RUNS].map(({ id }) => id);

function scenario(name: string, before: string[] = []): string[] {
  if (!NAMES.includes(name)) throw new InvalidArgumentError(`It must be one of ${NAMES.join(", ")}.`);
  return [...before, name];
}

const program = new Command("npm run simulate --")
  .description(
    "Simulates a fleet of pages over 30 days. Many seeds are drawn as counts and judged by the collector's own modules; the whole-* runs send every visit over HTTP to a real collector, some of them from real pages in Chromium. Needs a build: npm run build.",
  )
  .argument("[scenario...]", `${NAMES.join(", ")}; default: all`, scenario)
  .option("--seeds <n>", "runs of each scenario", integer(1, 10_000), 100)
  .option("--pages <n>", "pages of the fleet", integer(100, 65_000), WORLD.pages)
  .option("--real-pages <n>", "pages in Chromium in whole-worse; 0 for none", integer(0, 40), 8)
  .option("--no-whole", "leave the whole runs out")
  .option("--json", "print JSON")
  .addHelpText("after", "\nThe table is also written to simulate/results/. Exits with 1 if a target is missed.");
program.parse();
const { seeds, pages, realPages, whole, json } = program.opts<Options>();
const wanted = (program.processedArgs[0] as string[] | undefined) ?? NAMES;
const progress = (line: string) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${line}`);

const tables: { title: string; rows: Row[] }[] = [];
const say = (line: string) => void process.stderr.write(`${line}\n`);
const add = (title: string, rows: Row[]) => {
  tables.push({ title, rows });
  progress("");
  if (!json) process.stdout.write(toText(title, rows));
};
for (const { id, title, run } of SCENARIOS) {
  if (!wanted.includes(id)) continue;
  const started = performance.now();
  const rows = await run({ seeds, pages, onRun: (done) => progress(`${id}: ${done} of ${seeds}`) });
  add(`${title} (${seeds} seeds, ${Math.round((performance.now() - started) / 1000)} s)`, rows);
}
for (const { id, title, run } of WHOLE_RUNS) {
  if (!whole || !wanted.includes(id)) continue;
  add(title, await run({ pages, realPages, say: (line) => say(`  ${id}: ${line}`) }));
}
const missed = tables.flatMap(({ rows }) => rows).filter(({ isMet }) => !isMet).length;
mkdirSync(join(ROOT, "simulate/results"), { recursive: true });
writeFileSync(join(ROOT, "simulate/results/latest.md"), toMarkdown(tables));
if (json) process.stdout.write(`${JSON.stringify({ tables, missed }, null, 2)}\n`);
else process.stdout.write(missed > 0 ? `\n${missed} targets missed.\n` : "\nAll targets met.\n");
process.exitCode = missed > 0 ? 1 : 0;
