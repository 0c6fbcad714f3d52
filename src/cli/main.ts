#!/usr/bin/env node
// The `insitu` command: makes model packages, signs and checks them, and says what is in them.
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import type { Manifest } from "../shared/types/manifest.js";
import { inspect, inspectionText, manifestText, passedText } from "./inspect.js";
import { makeKey } from "./keys.js";
import { type PackOptions, packModel } from "./pack.js";
import { runSelfTests } from "./self-tests.js";
import { type SignOptions, signPackage } from "./sign.js";
import { readPackage, verifyPackage, verifyTrust } from "./verify.js";

const FAILED = 1;
const WRONG_USAGE = 2;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function whole(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError("It must be a whole number of at least 0.");
  return number;
}

function positive(value: string): number {
  const number = whole(value);
  if (number === 0) throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return number;
}

const several = (value: string, before: unknown): string[] => [...((before as string[] | undefined) ?? []), value];

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
  for (const add of [addPack, addVerify, addInspect, addKeygen, addSign]) add(program);
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
    .option("--expires <time>", "ISO 8601: pages refuse the package from then on (default: never)")
    .option("--sign <key.json>", "sign it with a key that keygen made")
    .option(
      "--self-test <input.json>",
      "record a self-test on this input, not on noise; may be given several times",
      several,
    )
    .option("--no-self-test", "record no self-test, such as for a model that tfjs cannot run on cpu")
    .option("--force", "write into a folder that holds other files too")
    .addHelpText(
      "after",
      `
Example:
  insitu pack model.json --out public/models/objects --name objects --version 1.0.0 --task task.json --labels labels.txt
with a task.json such as
  { "task": { "kind": "classification" }, "inputs": [{ "name": "images", "image": { "fit": "cover", "scale": 0.00392157 } }] }

The model is run once on cpu, and what it gives becomes the self-test: a page refuses a backend that gives something else.
An input.json holds a tensor an input: { "images": { "dtype": "float32", "shape": [1, 224, 224, 3], "data": "base64" } }
or, for noise, "noise": { "seed": 1, "low": 0, "high": 1 } in the place of data.`,
    )
    .action(async (model: string, options: Omit<PackOptions, "model">) => {
      const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
      const manifest = await packModel({ ...options, model, onProgress });
      const { digest } = await readPackage(options.out);
      print(manifestText(manifest, digest));
    });
}

interface VerifyOptions {
  key?: string[];
  threshold?: number;
  selfTest?: boolean;
}

function addVerify(program: Command): void {
  program
    .command("verify")
    .description("check a package: manifest, sizes, hashes, model, and signatures where keys are given")
    .argument("<folder>", "the package")
    .option("--key <key.json>", "a key that may have signed it, public or private; may be given several times", several)
    .option("--threshold <n>", "how many of the keys must have signed (default: 1)", positive)
    .option("--self-test", "run its self-tests on cpu too")
    .addHelpText("after", "\nExample:\n  insitu verify public/models/objects --key key.public.json --self-test")
    .action(async (folder: string, { key = [], threshold, selfTest }: VerifyOptions) => {
      const isChecked = key.length > 0 || threshold !== undefined;
      const found = isChecked
        ? await verifyTrust(folder, key, threshold)
        : { ...(await verifyPackage(folder)), signers: [] };
      const { manifest, digest, model, signers } = found;
      const comparisons = selfTest ? await runSelfTests(manifest, model, folder) : [];
      const passed = comparisons.map(({ worst }, index) => `\n${passedText(index + 1, worst)}`).join("");
      print(`${manifestText(manifest, digest)}${passed}\n${folder} is whole, and ${signersText(manifest, signers)}.`);
    });
}

/** Who signed: `checked` are the keys whose signatures were found valid. Anybody can write the other names. */
function signersText({ signatures = [] }: Manifest, checked: string[]): string {
  const others = [...new Set(signatures.map(({ keyId }) => keyId))].filter((id) => !checked.includes(id)).join(", ");
  if (checked.length === 0) return others ? `signed by ${others}, not checked (pass --key)` : "unsigned";
  return `signed by ${checked.join(", ")}${others && `; the signature of ${others} is not valid or was not checked`}`;
}

function addInspect(program: Command): void {
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
}

function addKeygen(program: Command): void {
  program
    .command("keygen")
    .description("make an Ed25519 key pair to sign packages with")
    .requiredOption("--out <key.json>", "the private key; the public one is written beside it, as key.public.json")
    .option("--id <id>", "what signatures and pages call it (default: from the key's own hash)")
    .addHelpText(
      "after",
      "\nKeep the private key out of the repository and off the web server.\n\nExample:\n  insitu keygen --out key.json --id prod-1",
    )
    .action(async ({ out, id }: { out: string; id?: string }) => {
      const { key, publicPath } = await makeKey(out, id);
      const snippet = `trust: { keys: [{ id: ${JSON.stringify(key.id)}, publicKey: ${JSON.stringify(key.publicKey)} }] }`;
      print(`private  ${out}\npublic   ${publicPath}\nIn the page: createClient({ ${snippet} })`);
    });
}

function addSign(program: Command): void {
  program
    .command("sign")
    .description("check a package and sign its manifest; signatures of other keys are kept")
    .argument("<folder>", "the package")
    .requiredOption("--key <key.json>", "a private key that keygen made")
    .option("--release <n>", "publish it under this release", whole)
    .option("--expires <time>", "ISO 8601: pages refuse the package from then on")
    .addHelpText(
      "after",
      "\nExample:\n  insitu sign public/models/objects --key key.json --expires 2030-01-01T00:00:00Z",
    )
    .action(async (folder: string, options: SignOptions) => {
      const { manifest, digest, keyId, dropped } = await signPackage(folder, options);
      const gone =
        dropped.length > 0
          ? `\nThe manifest changed: the signatures of ${dropped.join(", ")} no longer fit and were removed. Sign it with these keys again.`
          : "";
      print(`${manifestText(manifest, digest)}\n${folder} is signed by ${keyId}.${gone}`);
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
