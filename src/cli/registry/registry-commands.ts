// The commands `insitu registry …`: packages by model and version, aliases, comparison, history and clearing up.
import type { Command } from "commander";
import type { PublishOptions } from "../channel/release-options.js";
import { readKey } from "../keys.js";
import { collect, duration, integer, nonEmpty, positiveInteger, print } from "../option-parsers.js";
import { printable } from "../printable.js";
import type { ObjectStore } from "../store/object-store.js";
import { openExisting, openStore } from "../store/open-store.js";
import { addWho } from "../who.js";
import { type AddOptions, addPackage } from "./add.js";
import { setAlias } from "./alias.js";
import { type Catalogue, readCatalogue } from "./catalogue.js";
import { diffPackages, diffText } from "./diff.js";
import { findPackage, versionNamed } from "./find-package.js";
import { collectGarbage, type GcOptions } from "./gc.js";
import { indexText } from "./index-json.js";
import { checkAlias, checkModelName, parseAliasName, refuse } from "./layout.js";
import { changesText, gcText, listText, missingLines } from "./registry-text.js";
import { repair, writeIndex } from "./write-index.js";

interface RegistryFlags {
  registry: string;
}

const HELP = `
A registry is a folder or a bucket that any static host serves: <registry>/<model>/<version>/ are packages, <registry>/<model>/<alias>.json and channel.json
name versions, index.html and index.json show what there is. In the page: client.load("/registry/objects@champion").

Of s3: addresses: npm install @aws-sdk/client-s3. Region, credentials and endpoint are those of the AWS SDK (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_S3).

Exit codes: 0 success, 1 failure, 2 wrong usage.

Examples:
  insitu registry add public/models/objects --registry public/registry --alias challenger
  insitu registry alias objects@champion 1.1.0 --registry s3://models/registry --why "two weeks as a canary"
  insitu registry diff objects@champion objects@challenger --registry public/registry`;

export function addRegistry(program: Command): void {
  const registry = program
    .command("registry")
    .description("keep packages by model and version in a folder or bucket, with aliases and a history")
    .addHelpText("after", HELP);
  addAdd(registry);
  addList(registry);
  addAlias(registry);
  addDiff(registry);
  addHistory(registry);
  addGc(registry);
}

const addPlace = (command: Command): Command =>
  command.requiredOption(
    "--registry <place>",
    "a folder, a file: address, or s3://bucket/prefix (default: INSITU_REGISTRY)",
    nonEmpty,
    process.env.INSITU_REGISTRY || undefined,
  );

/** Opens it for writing: what a publisher that was killed has begun is completed first. */
async function openForWriting(place: string): Promise<ObjectStore> {
  const store = await openStore(place);
  await repair(store);
  return store;
}

interface AddFlags extends RegistryFlags, AddOptions, Pick<PublishOptions, "sign"> {
  alias?: string[];
}

function addAdd(registry: Command): void {
  const command = registry
    .command("add")
    .description("verify a package and copy it under its version, which never changes again")
    .argument("<package>", "the package's folder")
    .option("--alias <name>", "also set this alias to it; repeatable", collect)
    .option("--key <key.json>", "refuse a package without a valid signature of this key; repeatable", collect)
    .option("--threshold <n>", "number of these keys that must have signed (default: 1)", positiveInteger)
    .option("--sign <key.json>", "sign the aliases with a private key; repeatable", collect);
  addWho(addPlace(command)).action(async (folder: string, flags: AddFlags) => {
    // A mistake in one of them must not leave half of the command done.
    for (const alias of flags.alias ?? []) checkAlias(alias);
    for (const path of flags.sign ?? []) await readKey(path);
    const store = await openForWriting(flags.registry);
    const { manifest, digest, isNew } = await addPackage(store, folder, flags);
    const { name, version } = manifest;
    print(`${name} ${version}, digest ${digest.slice(0, 16)}: ${isNew ? "added to" : "already in"} ${store.where("")}`);
    for (const alias of flags.alias ?? []) {
      const published = await setAlias(store, parseAliasName(`${name}@${alias}`), version, flags);
      print(`${name}@${alias}, release ${published.channel.release}: ${version}`);
    }
    tellProblems(await writeIndex(store));
  });
}

function addList(registry: Command): void {
  const command = registry
    .command("list")
    .description("print the models, their versions, aliases and channel")
    .option("--json", "print JSON, as in index.json");
  addPlace(command).action(async ({ registry: place, json }: RegistryFlags & { json?: boolean }) => {
    const catalogue = await readCatalogue(await openExisting(place));
    print(json ? indexText(catalogue).trimEnd() : listText(catalogue));
    tellProblems(catalogue);
  });
}

function addAlias(registry: Command): void {
  const command = registry
    .command("alias")
    .description("set an alias to a version")
    .argument("<model@alias>", "such as objects@champion")
    .argument("<version>", "a version, or another alias of the model")
    .option("--sign <key.json>", "sign with a private key from keygen; repeatable", collect)
    .option("--unsigned", "publish without a signature what was signed before");
  addWho(addPlace(command)).action(async (name: string, version: string, flags: RegistryFlags & PublishOptions) => {
    const named = parseAliasName(name);
    const store = await openForWriting(flags.registry);
    const { channel } = await setAlias(store, named, await versionNamed(store, named.model, version), flags);
    print(`${name}, release ${channel.release}: ${channel.arms[0]?.version}`);
    tellProblems(await writeIndex(store));
  });
}

function addDiff(registry: Command): void {
  const command = registry
    .command("diff")
    .description("compare two packages: inputs, outputs, labels, sizes, metrics, self-tests")
    .argument("<a>", "<model>@<version>, <model>@<alias>, or a folder")
    .argument("<b>", "the other")
    .option(
      "--registry <place>",
      "a folder, a file: address, or s3://bucket/prefix (default: INSITU_REGISTRY)",
      nonEmpty,
      process.env.INSITU_REGISTRY || undefined,
    )
    .option("--json", "print JSON");
  command.action(async (a: string, b: string, flags: Partial<RegistryFlags> & { json?: boolean }) => {
    const store = flags.registry === undefined ? undefined : await openExisting(flags.registry);
    const [from, to] = [await findPackage(store, a), await findPackage(store, b)];
    const differences = diffPackages(from, to);
    print(flags.json ? JSON.stringify(differences, null, 2) : diffText(from, to, differences));
  });
}

function addHistory(registry: Command): void {
  const command = registry
    .command("history")
    .description("print who changed what, when and why")
    .argument("[model]", "one model, or one of its aliases such as objects@champion")
    .option("--json", "print JSON");
  addPlace(command).action(async (name: string | undefined, flags: RegistryFlags & { json?: boolean }) => {
    const [model, subject] = name?.split("@") ?? [];
    if (model !== undefined) checkModelName(model);
    const catalogue = await readCatalogue(await openExisting(flags.registry));
    const chosen = catalogue.models.filter((one) => model === undefined || one.name === model);
    if (model !== undefined && chosen.length === 0)
      refuse(`The registry has no model ${model}. "insitu registry list" shows what it has.`);
    const changes = chosen.flatMap((one) =>
      one.history
        .filter((change) => subject === undefined || change.subject === subject)
        .map((change) => ({ model: one.name, ...change })),
    );
    print(flags.json ? JSON.stringify(changes, null, 2) : changesText(changes));
    tellProblems(catalogue);
  });
}

function addGc(registry: Command): void {
  const command = registry
    .command("gc")
    .description("find versions that no alias and no channel names; --delete removes them")
    .option("--delete", "remove them; without it they are only listed")
    .option("--dry-run", "only list them, as without --delete")
    .option("--keep <n>", "keep the newest n versions of each model", (value) => integer(value, 0), 3)
    .option("--min-age <time>", "keep what was added since", duration, 86_400_000);
  addWho(addPlace(command)).action(async (flags: RegistryFlags & GcOptions & { dryRun?: boolean }) => {
    if (flags.delete && flags.dryRun) command.error("error: --delete and --dry-run exclude each other.");
    const store = await openExisting(flags.registry);
    if (flags.delete) await repair(store);
    print(gcText(await collectGarbage(store, flags), flags.delete === true));
    if (flags.delete) tellProblems(await writeIndex(store));
  });
}

function tellProblems({ problems, models }: Catalogue): void {
  for (const problem of [...problems, ...models.flatMap(missingLines)])
    process.stderr.write(printable(`Note: ${problem}\n`));
}
