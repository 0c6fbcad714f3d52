// `npm run pipeline`: one run, a receiver of the collector's webhook (--serve), or the whole loop with simulated visitors (--demo).
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { runDemo } from "./demo/demo.js";
import { createReceiver } from "./receiver.js";
import { type RunOptions, runPipeline } from "./run.js";
import { openRun } from "./steps/collector.js";

const MODEL = "digits";

interface Flags {
  demo?: boolean;
  serve?: number;
  waiting?: boolean;
  id?: string;
  site?: string;
  key?: string;
  labels?: string;
  collector?: string;
  weight: number;
  steps: number;
  follow: boolean;
  every: string;
  pause: string;
  out: string;
}

function integer(min: number, max: number) {
  return (text: string) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const OUT = join(fileURLToPath(new URL(".", import.meta.url)), "demo/out");

const program = new Command("npm run pipeline --")
  .description("Exports new labels, retrains digits, and publishes the result as a canary if it is better.")
  .option("--demo", "the whole loop with a collector, a host and simulated visitors of its own, in minutes")
  .option("--out <folder>", "of --demo: for its log and plots", OUT)
  .option("--site <folder>", "channel.json and a package folder for each version, as the host serves them")
  .option("--key <key.json>", "private key of insitu keygen, its public one beside it")
  .option("--labels <url>", "the site's backend, whose GET /labels exports labelled digits")
  .option("--collector <url>", "the collector that decides about the canary")
  .option("--waiting", "runs only if a run of the collector's log waits for somebody, for cron jobs")
  .option("--serve <port>", "receives the collector's webhook, and runs for each", integer(0, 65_535))
  .option("--id <id>", "the run to report to the collector")
  .option("--weight <percent>", "share of the browsers that get the canary", integer(1, 99), 5)
  .option("--steps <n>", "batches of 32 digits to fine-tune with", integer(1, 100_000), 400)
  .option("--no-follow", "publishes the canary, and leaves the decision to insitu channel auto elsewhere")
  .option("--every <time>", "time between two looks at the decision", "60s")
  .option("--pause <time>", "time that a share of the browsers lasts at least", "10m")
  .addHelpText(
    "after",
    "\nEnvironment: INSITU_READ_TOKEN, INSITU_TOKEN (the operator's) and LABELS_TOKEN; of --serve also RETRAIN_SECRET.",
  );

function required(flags: Flags, name: "site" | "key" | "labels" | "collector"): string {
  return flags[name] ?? program.error(`--${name} is missing; see --help.`);
}

function optionsOf(flags: Flags): RunOptions {
  const { INSITU_READ_TOKEN: readToken, INSITU_TOKEN: operatorToken, LABELS_TOKEN: labelsToken } = process.env;
  const { weight, steps, id, every, pause } = flags;
  const url = required(flags, "collector").replace(/\/+$/, "");
  return {
    site: required(flags, "site"),
    key: required(flags, "key"),
    labels: required(flags, "labels").replace(/\/+$/, ""),
    labelsToken,
    collector: { url, readToken, operatorToken },
    id,
    weight,
    steps,
    ...(flags.follow && { follow: { every, pause } }),
  };
}

function serve(flags: Flags, port: number): void {
  const options = optionsOf(flags);
  const secret = process.env.RETRAIN_SECRET || program.error("RETRAIN_SECRET is not set.");
  const start = ({ id, trigger }: { id: string; trigger: string }) => {
    console.log(`Run ${id}, triggered by ${trigger}.`);
    runPipeline({ ...options, id }, console.log).then(
      ({ result }) => console.log(`Run ${id}: ${result}.`),
      (error) => console.error(`Run ${id} failed: ${error instanceof Error ? error.message : error}`),
    );
  };
  createReceiver({ secret, model: MODEL, start }).listen(port, () =>
    console.log(`The webhook is taken at port ${port}.`),
  );
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  if (flags.demo) return runDemo({ out: flags.out, steps: flags.steps });
  if (flags.serve !== undefined) return serve(flags, flags.serve);
  const options = optionsOf(flags);
  const waiting = flags.waiting ? await openRun(options.collector, MODEL) : undefined;
  if (flags.waiting && !waiting) return console.log("No run waits for somebody.");
  const outcome = await runPipeline({ ...options, id: flags.id ?? waiting?.id }, console.log);
  console.log("version" in outcome ? `${outcome.result} ${outcome.version}` : outcome.result);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
