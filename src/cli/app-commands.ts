// The commands for apps: a new app, a ready model, and the files that a bundler leaves behind.
import { type Command, Option } from "commander";
import { copyRuntime } from "./copy-runtime.js";
import { getModel } from "./get-model.js";
import { initApp, TEMPLATES, type Template } from "./init-app.js";
import { print } from "./option-parsers.js";

export function addInit(program: Command): void {
  program
    .command("init")
    .description("write a minimal app (Vite) with a model that predicts at once")
    .argument("[folder]", "where to write it; created when missing, must be empty", ".")
    .addOption(new Option("--template <name>", "what the app is written in").choices(TEMPLATES).default("vanilla"))
    .addHelpText(
      "after",
      "\nExample:\n  insitu init my-app --template react && cd my-app && npm install && npm run dev",
    )
    .action(async (folder: string, { template }: { template: Template }) => {
      const files = await initApp(folder, template);
      const enter = folder === "." ? "" : `cd ${folder} && `;
      print(`${files.join("\n")}\n\nNext: ${enter}npm install && npm run dev`);
    });
}

export function addGet(program: Command): void {
  program
    .command("get")
    .description("copy a ready model package out of the npm package insitu-models")
    .argument("<model>", "objects (photos to boxes), digits, features (photos to numbers to learn on) or ranker")
    .option("--out <folder>", "the model is written to a folder of its name in it", "public/models")
    .option("--force", "replace a folder that holds something else")
    .addHelpText(
      "after",
      "\nExample:\n  npm install --save-dev insitu-models\n  insitu get objects --out public/models",
    )
    .action(async (name: string, { out, force }: { out: string; force?: boolean }) => {
      const { folder, manifest, digest, isNew } = await getModel(name, out, force);
      const license = manifest.license ? `, ${manifest.license} licence` : "";
      print(
        `${manifest.name} ${manifest.version}, digest ${digest.slice(0, 16)}${license}: ${isNew ? "written to" : "already in"} ${folder}
Serve that folder, and load it by its address: client.load("/models/${name}/", { task: "${manifest.task.kind}" })`,
      );
    });
}

export function addCopy(program: Command): void {
  program
    .command("copy")
    .description(
      "copy worker.js, the files that it imports and the .wasm files, for bundlers that leave them behind (esbuild, Rollup)",
    )
    .argument("<folder>", "the folder of the bundle")
    .option("--force", "replace a worker.js that is not insitu's")
    .addHelpText(
      "after",
      "\nThe page looks for worker.js beside the script that insitu is in.\n\nExample:\n  insitu copy dist/assets",
    )
    .action(async (folder: string, { force }: { force?: boolean }) =>
      print((await copyRuntime(folder, force)).join("\n")),
    );
}
