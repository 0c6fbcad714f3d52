// `npm test`: every check this project has, one after the other, and a last line that counts them.
import { parseArgs } from "node:util";
import { ensureBrowser } from "../test/support/install-browser.js";
import { bundleChecks } from "./checks/bundle.js";
import { exists, ROOT } from "./checks/paths.js";
import { readmeSnippets } from "./checks/readme.js";
import { type Check, type Count, command, vitest } from "./checks/run.js";

const CHECKS: Check[] = [
  { name: "lint", about: "formatter and linter (biome)", run: command("npx", "biome", "check", ".") },
  {
    name: "rules",
    about: "import rules (dependency-cruiser)",
    run: command("npx", "depcruise", "src", "collector/src", "--config", ".dependency-cruiser.cjs"),
  },
  { name: "measure", about: "long functions, repeated runs, unused exports", run: command("npm", "run", "measure") },
  { name: "docs-api", about: "the API reference lacks no type", run: command("npx", "typedoc", "--emit", "none") },
  { name: "build", about: "library", run: command("npm", "run", "build") },
  { name: "build-collector", about: "collector", run: command("npm", "run", "build:collector") },
  { name: "models", about: "the model packages, built when missing", run: buildModels },
  {
    name: "types",
    about: "page (DOM), worker (WebWorker), tools and tests (Node)",
    run: command("npx", "tsc", "--build"),
  },
  { name: "types-collector", about: "collector (tsc)", run: command("npx", "tsc", "-p", "collector", "--noEmit") },
  { name: "unit", about: "pure rooms (vitest)", run: vitest("unit") },
  { name: "collector", about: "the collector (vitest)", run: vitest("collector") },
  { name: "find-browser", about: "a Chromium, installed when missing", run: findBrowser },
  { name: "browser", about: "real Chromium, real models (vitest)", run: vitest("browser") },
  {
    name: "publint",
    about: "package.json against the files (publint --strict)",
    run: command("npx", "publint", "run", "--strict"),
  },
  {
    name: "attw",
    about: "types as a consumer resolves them",
    run: command("npx", "attw", "--pack", ".", "--profile", "esm-only", "--exclude-entrypoints", "./wasm/*"),
  },
  ...bundleChecks,
  { name: "readme", about: "the README's snippets (tsc)", run: readmeSnippets },
  { name: "consumers", about: "the packed tarball in strangers' apps (vitest)", run: vitest("consumers") },
];

/** What a check looks at that another one makes; made first when it is missing and only a part is asked for. */
const MADE: Record<string, { file: string; for: string[] }> = {
  build: {
    file: "dist/index.js",
    for: [...["types", "browser", "publint", "attw", "readme", "consumers"], ...bundleChecks.map(({ name }) => name)],
  },
  "build-collector": { file: "collector/dist", for: ["collector", "browser"] },
  // The training and packing scripts are plain TypeScript: only what loads a package needs one.
  models: { file: "models/objects/package/insitu.json", for: ["types", "browser", "consumers"] },
};

async function buildModels(): Promise<Count> {
  const made = ["objects", "features", "digits", "ranker"].every((name) =>
    exists(`models/${name}/package/insitu.json`),
  );
  return made ? { passed: 1, failed: 0 } : command("npm", "run", "models")();
}

async function findBrowser(): Promise<Count> {
  console.log(ensureBrowser());
  return { passed: 1, failed: 0 };
}

function usage(): string {
  const list = CHECKS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join("\n");
  return `npm test                      runs everything\nnpm test -- unit browser      runs a part\nnpm test -- --only lint,types the same\n\n${list}`;
}

function chosen(): Check[] {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    console.log(usage());
    process.exit(0);
  }
  const names = [...positionals, ...(values.only ?? "").split(",")].filter(Boolean);
  const unknown = names.filter((name) => !CHECKS.some((check) => check.name === name));
  if (unknown.length > 0) throw new Error(`No check is named ${unknown.join(", ")}.\n\n${usage()}`);
  if (names.length === 0) return CHECKS;
  const missing = Object.entries(MADE)
    .filter(([, made]) => !exists(made.file) && made.for.some((name) => names.includes(name)))
    .map(([name]) => name);
  return CHECKS.filter(({ name }) => names.includes(name) || missing.includes(name));
}

async function runOne(check: Check): Promise<Count> {
  console.log(`\n=== ${check.name}: ${check.about}`);
  const start = performance.now();
  const count = await check.run().catch((error: unknown): Count => {
    console.log(error instanceof Error ? error.message : error);
    return { passed: 0, failed: 1 };
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`--- ${check.name}: ${count.passed} passed, ${count.failed} failed (${seconds} s)`);
  return count;
}

async function main(): Promise<void> {
  process.chdir(ROOT);
  const total: Count = { passed: 0, failed: 0 };
  const failed: string[] = [];
  // A failure does not end the run: one run shows everything that is wrong.
  for (const check of chosen()) {
    const count = await runOne(check);
    total.passed += count.passed;
    total.failed += count.failed;
    if (count.failed > 0) failed.push(check.name);
  }
  if (failed.length > 0) console.log(`\nfailed: ${failed.join(", ")}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
