#!/usr/bin/env node
// The `insitu` command: makes model packages, checks them, and says what is in them.
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { digestOf } from "../model/manifest.js";
import { inspect, inspectionText, manifestText } from "./inspect.js";
import { type PackOptions, packModel } from "./pack.js";
import { verifyPackage } from "./verify.js";

const FAILED = 1;
const WRONG_USAGE = 2;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function whole(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError("It must be a whole number of at least 0.");
  return number;
}

function createProgram(): Command {
  // The same place from src/cli and from dist/cli.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("insitu")
    .description("Model packages for insitu: a folder with insitu.json, for any static host.")
    .version(version)
    // Without it the program's own --version would take the one of `pack`.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(message.replace(/^error: /, "insitu: ")) });
  addPack(program);
  program
    .command("verify")
    .description("check a package: manifest, sizes, hashes, model")
    .argument("<folder>", "the package")
    .addHelpText("after", "\nExample:\n  insitu verify public/models/objects")
    .action(async (folder: string) => {
      const { manifest, digest } = await verifyPackage(folder);
      print(`${manifestText(manifest, digest)}\n${folder} is whole.`);
    });
  program
    .command("inspect")
    .description("say what is in a package or a model")
    .argument("<folder|model.json>", "a package, or a tfjs model that is not packed yet")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  insitu inspect public/models/objects --json")
    .action(async (target: string, { json }: { json?: boolean }) => {
      const found = await inspect(target);
      print(json ? JSON.stringify(found, null, 2) : inspectionText(found));
    });
  return program;
}

function addPack(program: Command): void {
  program
    .command("pack")
    .description("make a package from a tfjs graph model or layers model")
    .argument("<model.json>", "the model; its weight files are beside it")
    .requiredOption("--out <folder>", "where the package goes")
    .requiredOption("--name <name>", "letters, digits, dots, dashes, underscores")
    .requiredOption("--version <semver>", "such as 1.0.0")
    .option("--release <n>", "counts up with each published version (default: 1)", whole)
    .option("--task <task.json>", "the task, picture inputs, outputs, metrics, license, source (default task: raw)")
    .option("--labels <labels.txt>", "one label a line, for classification and detection")
    .option("--created <time>", "ISO 8601, for builds that come out the same each time (default: now)")
    .option("--force", "write into a folder that holds other files too")
    .addHelpText(
      "after",
      `
Example:
  insitu pack model.json --out public/models/objects --name objects --version 1.0.0 --task task.json --labels labels.txt
with a task.json such as
  { "task": { "kind": "classification" }, "inputs": [{ "name": "images", "image": { "fit": "cover", "scale": 0.00392157 } }] }`,
    )
    .action(async (model: string, options: Omit<PackOptions, "model">) => {
      const manifest = await packModel({ ...options, model });
      print(manifestText(manifest, await digestOf(manifest)));
    });
}

try {
  await createProgram().parseAsync();
} catch (error) {
  // commander has printed its own message, and ends --help and --version this way too.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
  else {
    process.stderr.write(`insitu: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = FAILED;
  }
}
