// `npm test`: runs every check of this project, several at a time; the last line counts them.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ensureBrowser } from "../test/support/install-browser.js";
import { type SharedBrowsers, shareBrowsers } from "../test/support/start-browsers.js";
import { bundleChecks } from "./checks/bundle.js";
import { docCommands } from "./checks/docs/commands.js";
import { docSite } from "./checks/docs/site.js";
import { docSnippets } from "./checks/docs/snippets.js";
import { exists, ROOT } from "./checks/paths.js";
import { type Check, type Count, command, type Print, vitest } from "./checks/run.js";
import { runChecks, tableOf } from "./checks/schedule.js";

/** As many as there are cores: more would make the models of the pages slow, and the waits of tests long. */
const JOBS = Math.max(1, Math.min(availableParallelism(), 4));

let browsers: SharedBrowsers | undefined;

/** In the order in which they start: what others need first, then what takes longest. */
const CHECKS: Check[] = [
  { name: "build", about: "library", run: command("npm", "run", "build"), writes: "dist/index.js" },
  {
    name: "build-collector",
    about: "collector",
    run: command("npm", "run", "build:collector"),
    writes: "collector/dist/main.js",
  },
  {
    name: "models",
    about: "the model packages, built when missing",
    run: buildModels,
    writes: "models/objects/package/insitu.json",
  },
  { name: "start-browser", about: "a Chromium for all parts, installed when missing", run: startBrowser },
  {
    name: "faults",
    about: "stores, networks and processes that fail (vitest)",
    run: vitest("faults"),
    needs: ["build", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "platform-faults",
    about: "each call of the platform that a load makes fails once (vitest)",
    run: vitest("platform-faults"),
    needs: ["build", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "browser-worker",
    about: "the worker with real models, in Chromium (vitest)",
    run: vitest("browser-worker"),
    needs: ["build", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "browser-page",
    about: "the page's side with real models, in Chromium (vitest)",
    run: vitest("browser-page"),
    needs: ["build", "build-collector", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "collector",
    about: "the collector (vitest)",
    run: vitest("collector"),
    needs: ["build-collector"],
  },
  {
    name: "collector-pages",
    about: "the collector's dashboard in Chromium (vitest)",
    run: vitest("collector-pages"),
    needs: ["build-collector", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "demo",
    about: "the demo in Chromium (vitest)",
    run: vitest("demo"),
    needs: ["build", "build-collector", "models", "start-browser"],
    // Its tests look for long tasks of the main thread.
    alone: true,
  },
  {
    name: "unit",
    about: "functions without a browser, and the command line (vitest)",
    run: vitest("unit"),
    needs: ["build", "models"],
  },
  {
    name: "other-browsers",
    about: "one suite in Chromium, Firefox and WebKitGTK, as far as they are installed (vitest)",
    run: vitest("browsers"),
    needs: ["build", "models"],
    usesBrowser: true,
  },
  {
    name: "simulate",
    about: "a small fleet of pages against the collector (vitest)",
    run: vitest("simulate"),
    needs: ["build", "build-collector", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "consumers",
    about: "the packed tarball in other apps (vitest)",
    run: vitest("consumers"),
    needs: ["build", "models", "start-browser"],
    usesBrowser: true,
  },
  {
    name: "types",
    about: "page (DOM), worker (WebWorker), tools and tests (Node)",
    run: command("npx", "tsc", "--build"),
    needs: ["build", "models"],
  },
  { name: "types-collector", about: "collector (tsc)", run: command("npx", "tsc", "-p", "collector", "--noEmit") },
  { name: "lint", about: "formatter and linter (biome)", run: command("npx", "biome", "check", ".") },
  {
    name: "rules",
    about: "import rules (dependency-cruiser)",
    run: command("npx", "depcruise", "src", "collector/src", "--config", ".dependency-cruiser.cjs"),
  },
  { name: "measure", about: "long functions, repeated runs, unused exports", run: command("npm", "run", "measure") },
  {
    name: "docs-api",
    about: "the API reference lacks no type (typedoc)",
    run: command("npx", "typedoc"),
    writes: "docs/api/index.md",
  },
  {
    name: "publint",
    about: "package.json against the files (publint --strict)",
    run: command("npx", "publint", "run", "--strict"),
    needs: ["build"],
  },
  {
    name: "attw",
    about: "types as a consumer resolves them",
    run: command(
      "npx",
      "attw",
      "--pack",
      ".",
      "--ignore-rules",
      "cjs-resolves-to-esm",
      "--exclude-entrypoints",
      "./wasm/*",
    ),
    needs: ["build"],
  },
  ...bundleChecks,
  {
    name: "docs-code",
    about: "the code blocks of README and docs/ (tsc, JSON)",
    run: docSnippets,
    needs: ["build", "build-collector"],
  },
  {
    name: "docs-commands",
    about: "the commands of README and docs/: names and options",
    run: docCommands,
    needs: ["build", "build-collector"],
  },
  {
    name: "docs-site",
    about: "the site builds, and its links and anchors lead somewhere",
    run: docSite,
    needs: ["docs-api"],
  },
  {
    name: "load",
    about: "peaks of load in Chromium (vitest)",
    run: vitest("load"),
    needs: ["build", "models", "start-browser"],
    alone: true,
  },
];

async function buildModels(print: Print): Promise<Count> {
  const built = ["objects", "features", "digits", "ranker"].every((name) =>
    exists(`models/${name}/package/insitu.json`),
  );
  return built ? { passed: 1, failed: 0 } : command("npm", "run", "models")(print);
}

async function startBrowser(print: Print): Promise<Count> {
  print(`${ensureBrowser()}\n`);
  browsers = await shareBrowsers();
  return { passed: 1, failed: 0 };
}

function usage(): string {
  const list = CHECKS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join("\n");
  return `npm test                      runs everything
npm test -- unit faults       runs parts; "browser" stands for all whose name begins with "browser-"
npm test -- --only lint,types the same
npm test -- --jobs 1          one part at a time (default here: ${JOBS})

${list}`;
}

const isNamed = ({ name }: Check, by: string) => name === by || name.startsWith(`${by}-`);

/** The checks that the command line names, and what they need where it is missing. */
function choose(names: string[]): Check[] {
  const unknown = names.filter((name) => !CHECKS.some((check) => isNamed(check, name)));
  if (unknown.length > 0) throw new Error(`No check is named ${unknown.join(", ")}.\n\n${usage()}`);
  if (names.length === 0) return CHECKS;
  const chosen = CHECKS.filter((check) => names.some((name) => isNamed(check, name)));
  const needed = chosen.flatMap(({ needs = [] }) => needs);
  const missing = CHECKS.filter(({ name, writes }) => needed.includes(name) && !(writes && exists(writes)));
  return CHECKS.filter((check) => chosen.includes(check) || missing.includes(check));
}

async function main(): Promise<void> {
  process.chdir(ROOT);
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, jobs: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    console.log(usage());
    return;
  }
  const checks = choose([...positionals, ...(values.only ?? "").split(",")].filter(Boolean));
  // A failure does not end the run: one run shows everything that is wrong.
  const results = await runChecks(checks, Number(values.jobs ?? JOBS), (text) => void process.stdout.write(text));
  await browsers?.close();
  const failed = results.filter((result) => result.failed > 0).map(({ name }) => name);
  const sum = (key: "passed" | "failed") => results.reduce((total, result) => total + result[key], 0);
  console.log(`\n${tableOf(results)}`);
  console.log(`\nall parts: ${(performance.now() / 1000) | 0} s`);
  if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
  // Once more at the end: a CI may keep only the last part of what is printed.
  for (const { failures = [] } of results) for (const failure of failures) console.log(`\n${failure}`);
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
