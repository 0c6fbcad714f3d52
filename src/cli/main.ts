#!/usr/bin/env node
// The `insitu` command: starts apps, and creates, signs, verifies and inspects model packages.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { isInsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { addCopy, addGet, addInit } from "./app-commands.js";
import { addChannel } from "./channel/channel-commands.js";
import { inspect, inspectionText, manifestText, passedText, replayedText } from "./inspect.js";
import { makeKey } from "./keys.js";
import { collect, nonEmpty, positiveInteger, print, releaseNumber } from "./option-parsers.js";
import { type PackOptions, packModel } from "./pack.js";
import { replayPlans } from "./plans.js";
import { printable } from "./printable.js";
import { addReference } from "./profile-command.js";
import { addRegistry } from "./registry/registry-commands.js";
import { readSelfTests, runSelfTests } from "./self-tests.js";
import { type SignOptions, signPackage } from "./sign.js";
import { readPackage, verifyPackage, verifyTrust } from "./verify.js";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/**
 * Runs `work`. If it refuses a manifest field whose value is one of the options, such as the version, that is wrong usage. The manifest's
 * own validation is the only place that knows which values are valid.
 */
async function withOptions<T>(command: Command, options: object, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isInsituError(error) || error.code !== "model_format") throw error;
    const field = String(error.data.field);
    if (!Object.hasOwn(options, field)) throw error;
    return command.error(`error: --${field} is not valid: ${error.message.replace(/^.* cannot be used: /, "")}`);
  }
}

// ---- commands ----------------------------------------------------------------------------------------------------

function createProgram(): Command {
  // The same relative path from src/cli and from dist/cli.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("insitu")
    .description(
      "Start an app with a model; create, sign and check model packages. A package is a folder with insitu.json, for any static host.",
    )
    .version(version)
    // Otherwise the program's own --version would take the one of `pack`.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(message.replace(/^error: /, "insitu: ")) })
    .addHelpText("after", "\nExit codes: 0 success, 1 failure, 2 wrong usage.");
  const addProfile = (to: Command) => addReference(to, positiveInteger, releaseNumber, withOptions);
  for (const add of [
    addInit,
    addGet,
    addCopy,
    addPack,
    addProfile,
    addVerify,
    addInspect,
    addKeygen,
    addSign,
    addChannel,
    addRegistry,
  ])
    add(program);
  adviseOn(program, "insitu");
  return program.showHelpAfterError('Run "insitu --help" for the commands.');
}

/** Wrong usage of a command is answered with where its help is. */
function adviseOn(parent: Command, path: string): void {
  for (const command of parent.commands) {
    const name = `${path} ${command.name()}`;
    command.showHelpAfterError(`Run "${name} --help" for its arguments and options.`);
    adviseOn(command, name);
  }
}

const PACK_HELP = `
Examples:
  insitu pack my-model
  insitu pack model.json --out public/models/flowers --name flowers --version 1.2.0 --labels labels.txt
  insitu pack model.json --task task.json --self-test photo.jpg
with a task.json such as
  { "task": { "kind": "classification", "activation": "softmax" }, "inputs": [{ "name": "images", "image": { "fit": "cover", "scale": 0.00392157 } }] }

pack prints the model's inputs, outputs and task first. metadata.json of Teachable Machine beside the model gives labels and image size.
Other formats (Keras, SavedModel, PyTorch, ONNX, TensorFlow Lite, …) are recognised, and the commands that convert them printed.

pack records one run of a graph model on wasm as a plan: a page replays it without loading TensorFlow.js.

pack runs the model on cpu and stores its outputs as the self-test: a page refuses a backend whose outputs differ.
An input.json holds one tensor for each input: { "images": { "dtype": "float32", "shape": [1, 224, 224, 3], "data": "base64" } },
for noise "noise": { "seed": 1, "low": 0, "high": 1 } instead of "data", or for bytes "bytes": { "data": "base64", "low": 0, "high": 1 },
where 0 is low and 255 is high. A JPEG or PNG is converted as the page does it.`;

function addPack(program: Command): void {
  const command = program
    .command("pack")
    .description("create a package from a tfjs graph model or layers model")
    .argument("<model>", "model.json, with its weight files in the same folder, or that folder")
    .option("--out <folder>", "folder to write the package to (default: public/models/<name>)", nonEmpty)
    .option(
      "--name <name>",
      "letters, digits, dots, dashes, underscores (default: from the file or its folder)",
      nonEmpty,
    )
    .option("--version <semver>", "a semantic version (default: 1.0.0)")
    .option("--release <n>", "integer that increases with each published version (default: 1)", releaseNumber)
    .option(
      "--task <task.json>",
      "task, image inputs, outputs, metrics, license, source (default: by the labels, else the task raw)",
    )
    .option("--labels <labels.txt>", "one label per line, for classification and detection")
    .option("--created <time>", "ISO 8601 time; set it for reproducible builds (default: now)")
    .option("--expires <time>", "ISO 8601 time from which pages refuse the package (default: never)")
    .option("--sign <key.json>", "sign with a private key from keygen")
    .option(
      "--self-test <file>",
      "record a self-test on this input.json, .jpg or .png instead of noise or a photo of insitu's; repeatable",
      collect,
    )
    .option("--no-self-test", "record no self-test, for example for a model that tfjs cannot run on cpu")
    .option("--no-plan", "record no plan, with which pages run the model on wasm without TensorFlow.js")
    .option("--force", "write into a folder that holds other files too")
    .addHelpText("after", PACK_HELP);
  command.action(async (model: string, options: Omit<PackOptions, "model">) => {
    const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
    let folder = "";
    const onDraft = (text: string, out: string) => {
      folder = out;
      print(`${text}\n`);
    };
    const manifest = await withOptions(command, options, () => packModel({ ...options, model, onProgress, onDraft }));
    const { digest } = await readPackage(folder);
    print(manifestText(manifest, digest));
    if (options.expires !== undefined) warnIfExpired(manifest);
  });
}

/** Not a failure: a package is withdrawn like this, and an old one packed again. */
function warnIfExpired({ expires }: Manifest): void {
  if (expires === undefined || Date.parse(expires) > Date.now()) return;
  const text = `insitu: warning: the package expired on ${expires}: pages refuse it with model_expired. Pass an --expires in the future unless you withdraw it.`;
  process.stderr.write(`${text}\n`);
}

interface VerifyOptions {
  key?: string[];
  threshold?: number;
  selfTest?: boolean;
}

function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description("check a package: manifest, file sizes, hashes, model, and signatures if keys are given")
    .argument("<folder>", "the package")
    .option("--key <key.json>", "a key whose signature is accepted, public or private; repeatable", collect)
    .option("--threshold <n>", "number of these keys that must have signed (default: 1)", positiveInteger)
    .option("--self-test", "also run the package's self-tests on cpu, and replay its plans on them")
    .addHelpText("after", "\nExample:\n  insitu verify public/models/objects --key key.public.json --self-test");
  command.action(async (folder: string, { key = [], threshold, selfTest }: VerifyOptions) => {
    if (threshold !== undefined && threshold > key.length) {
      const given = `${key.length} ${key.length === 1 ? "key was" : "keys were"} given`;
      command.error(`error: --threshold is ${threshold}, but ${given}. Pass --key once for each key.`);
    }
    const trusted = key.length > 0 ? await verifyTrust(folder, key, threshold) : undefined;
    const { manifest, digest, model } = trusted ?? (await verifyPackage(folder));
    const comparisons = selfTest ? await runSelfTests(manifest, model, folder) : [];
    const replayed = selfTest ? await replayPlans(manifest, model, folder, await readSelfTests(manifest, folder)) : 0;
    const lines = [...comparisons.map(({ worst }, index) => passedText(index + 1, worst)), ...replayedText(replayed)];
    const passed = lines.map((line) => `\n${line}`).join("");
    print(
      `${manifestText(manifest, digest)}${passed}\n${folder} is intact, and ${signersText(manifest, trusted?.signers ?? [])}.`,
    );
  });
}

/** `verified` are the keys with a valid signature. The other names prove nothing: anybody can write them. */
function signersText({ signatures = [] }: Manifest, verified: string[]): string {
  const others = [...new Set(signatures.map(({ keyId }) => keyId))].filter((id) => !verified.includes(id)).join(", ");
  if (verified.length === 0) return others ? `signed by ${others}, not verified (pass --key)` : "unsigned";
  return `signed by ${verified.join(", ")}${others && `; the signature of ${others} is not valid or was not verified`}`;
}

function addInspect(program: Command): void {
  program
    .command("inspect")
    .description("print the content of a package or a model")
    .argument("<folder|model.json>", "a package, or a tfjs model that is not packed yet, or its folder")
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
    .description("create an Ed25519 key pair for signing packages")
    .requiredOption("--out <key.json>", "file for the private key; the public key goes to key.public.json beside it")
    .option("--id <id>", "name of the key in signatures and pages (default: from the hash of the public key)", nonEmpty)
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
  const command = program
    .command("sign")
    .description("verify a package and sign its manifest; signatures of other keys are kept")
    .argument("<folder>", "the package")
    .requiredOption("--key <key.json>", "a private key from keygen")
    .option("--release <n>", "set the release number", releaseNumber)
    .option("--expires <time>", "ISO 8601 time from which pages refuse the package")
    .addHelpText(
      "after",
      "\nExample:\n  insitu sign public/models/objects --key key.json --expires 2030-01-01T00:00:00Z",
    );
  command.action(async (folder: string, options: SignOptions) => {
    const { manifest, digest, keyId, dropped } = await withOptions(command, options, () =>
      signPackage(folder, options),
    );
    const removed =
      dropped.length > 0
        ? `\nThe manifest changed, so the signatures of ${dropped.join(", ")} were removed. Sign again with these keys.`
        : "";
    print(`${manifestText(manifest, digest)}\n${folder} is signed by ${keyId}.${removed}`);
    warnIfExpired(manifest);
  });
}

try {
  await createProgram().parseAsync();
} catch (error) {
  // commander has printed its own message, and ends --help and --version this way too.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else {
    process.stderr.write(printable(`insitu: ${error instanceof Error ? error.message : String(error)}\n`));
    process.exitCode = EXIT_FAILURE;
  }
}
