// `npm run predict -- photo.jpg`: runs the built library on images in a headless browser and prints the result.
import { type StdioOptions, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Page } from "playwright";
import type { ClassScore, Detection, ModelInfo, Prediction } from "../src/shared/types/model.js";
import type { Backend } from "../src/shared/types/tensor.js";
import { type Chromium, launchChromium, SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { ensureBrowser } from "../test/support/install-browser.js";
import { startServer } from "../test/support/server.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BACKENDS = ["webgpu", "wasm", "cpu"];
const USAGE = `npm run predict -- photo.jpg [more…] [options]

  --model <name>      objects (default), digits, or the folder of a package
  --backend <name>    webgpu, wasm or cpu; default: webgpu on a real GPU, else wasm
  --json              print JSON (npm run --silent predict keeps npm's own lines out of it)
  --help`;

/** The command line is wrong: exit code 2. */
class UsageError extends Error {}

interface Options {
  photos: string[];
  model: string;
  backends: Backend[] | undefined;
  json: boolean;
}

/** What the page answers; an error as plain data, because a browser's error loses its fields on the way here. */
type Answer = { ok: true; info: ModelInfo; predictions: Outcome[] } | { ok: false; code: string; message: string };
type Outcome =
  | { photo: number; ok: true; prediction: Omit<Prediction, "outputs" | "model"> }
  | { photo: number; ok: false; code: string; message: string };

function options(): Options | undefined {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length === 0) throw new UsageError("No picture was given.");
  const backend = values.backend;
  if (backend !== undefined && !BACKENDS.includes(backend)) {
    throw new Error(`There is no backend "${backend}"; it is one of ${BACKENDS.join(", ")}.`);
  }
  for (const photo of positionals) {
    if (!existsSync(photo)) throw new Error(`${photo}: there is no such file.`);
    if (!statSync(photo).isFile()) throw new Error(`${photo} is not a file.`);
  }
  const backends = backend === undefined ? undefined : [backend as Backend];
  return { photos: positionals, model: values.model, backends, json: values.json };
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      model: { type: "string", default: "objects" },
      backend: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

function build(script: string): void {
  console.error(`> npm run ${script}`);
  // What the build prints goes to standard error: standard output is for the result.
  const stdio: StdioOptions = ["ignore", process.stderr, process.stderr];
  const { status } = spawnSync("npm", ["run", script], { cwd: ROOT, stdio, shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`\`npm run ${script}\` failed with exit code ${status}; its output is above.`);
}

/** The folder of the package, built when it is one of ours and missing. */
function packageFolder(model: string): string {
  const own = ["objects", "digits"].includes(model);
  const folder = own ? join(ROOT, "models", model, "package") : resolve(model);
  if (existsSync(join(folder, "insitu.json"))) return folder;
  if (!own) throw new Error(`${model} is neither "objects" nor "digits", and no folder with an insitu.json in it.`);
  build("models");
  return folder;
}

/** A browser with a page on the server; a software GPU only where webgpu was asked for and there is no other. */
async function openPage(url: string, backends: Backend[] | undefined): Promise<{ browser: Chromium; page: Page }> {
  const browser = await launchChromium({ args: ["--enable-unsafe-webgpu"] });
  const page = await browser.context.newPage();
  await page.goto(url);
  if (!backends?.includes("webgpu")) return { browser, page };
  const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null);
  if (adapter) return { browser, page };
  await browser.close();
  console.error("This machine has no GPU for WebGPU; it is computed in software (slow).");
  const software = await launchChromium({ args: SWIFTSHADER_WEBGPU });
  const second = await software.context.newPage();
  await second.goto(url);
  return { browser: software, page: second };
}

/** Runs in the page. Everything it needs is inside: it is sent as text. */
async function predictInPage(task: {
  library: string;
  photos: number;
  backends: Backend[] | undefined;
}): Promise<Answer> {
  try {
    const { createClient } = (await import(task.library)) as typeof import("../src/index.js");
    const client = createClient(task.backends ? { backends: task.backends } : {});
    const model = await client.load("/model/");
    const predictions: Outcome[] = [];
    for (let photo = 0; photo < task.photos; photo++) {
      try {
        const picture = await (await fetch(`/photo/${photo}`)).blob();
        const { id, value, backend, timings } = await model.predict(picture);
        predictions.push({ photo, ok: true, prediction: { id, value, backend, timings } });
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        predictions.push({ photo, ok: false, code, message });
      }
    }
    const info = model.info;
    await client.dispose();
    return { ok: true, info, predictions };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { ok: false, code, message };
  }
}

async function predict({ photos, backends }: Options, folder: string): Promise<Answer> {
  const server = await startServer({
    mounts: { "/dist/": join(ROOT, "dist"), "/model/": folder },
    isolated: true,
    routes: [
      (req, res) => {
        const number = /^\/photo\/(\d+)$/.exec(req.url ?? "")?.[1];
        const photo = number === undefined ? undefined : photos[Number(number)];
        if (photo === undefined) return false;
        res.end(readFileSync(photo));
        return true;
      },
    ],
  });
  let browser: Chromium | undefined;
  try {
    const opened = await openPage(server.url, backends);
    browser = opened.browser;
    const library = `${server.url}dist/index.js`;
    return await opened.page.evaluate(predictInPage, { library, photos: photos.length, backends });
  } finally {
    await browser?.close();
    await server.close();
  }
}

const isDetection = (score: ClassScore): score is Detection => "box" in score;

function row(score: ClassScore): string {
  const text = `  ${score.label.padEnd(16)} ${score.score.toFixed(3)}`;
  if (!isDetection(score)) return text;
  const { x, y, width, height } = score.box;
  return `${text}   x ${x.toFixed(0)}, y ${y.toFixed(0)}, ${width.toFixed(0)} x ${height.toFixed(0)} px`;
}

function printTable(photos: string[], info: ModelInfo, predictions: Outcome[]): void {
  console.log(`${info.name} ${info.version}, on ${info.backend}, from ${info.source}`);
  for (const { backend, reason } of info.refused) console.log(`  not on ${backend}: ${reason}`);
  for (const outcome of predictions) {
    console.log(`\n${basename(photos[outcome.photo] ?? "")}`);
    if (!outcome.ok) {
      console.log(`  ${outcome.code}: ${outcome.message}`);
      continue;
    }
    const { value, backend, timings } = outcome.prediction;
    const listed = info.task === "classification" || info.task === "detection";
    if (!listed) console.log(`  ${JSON.stringify(value)}`);
    else if ((value as ClassScore[]).length === 0) console.log("  nothing that the model is sure of");
    else for (const score of value as ClassScore[]) console.log(row(score));
    const phases = Object.entries(timings).map(([phase, ms]) => `${phase} ${ms.toFixed(1)}`);
    console.log(`  ${backend}, ms: ${phases.join(", ")}`);
  }
}

function printJson(photos: string[], info: ModelInfo, predictions: Outcome[]): void {
  const { name, version, release, digest, backend, source, refused, measured } = info;
  const results = predictions.map((outcome) => {
    const photo = photos[outcome.photo];
    if (outcome.ok) return { photo, ...outcome.prediction };
    return { photo, error: { code: outcome.code, message: outcome.message } };
  });
  const model = { name, version, release, digest, backend, source, refused, measured };
  console.log(JSON.stringify({ model, predictions: results }, null, 2));
}

async function main(): Promise<void> {
  const wanted = options();
  if (!wanted) {
    console.log(USAGE);
    return;
  }
  ensureBrowser();
  if (!existsSync(join(ROOT, "dist", "worker.js"))) build("build");
  const answer = await predict(wanted, packageFolder(wanted.model));
  if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`);
  const print = wanted.json ? printJson : printTable;
  print(wanted.photos, answer.info, answer.predictions);
  process.exitCode = answer.predictions.every((outcome) => outcome.ok) ? 0 : 1;
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  console.error(message);
  // Whoever reads JSON from standard output finds JSON there, whatever happened.
  if (process.argv.includes("--json")) console.log(JSON.stringify({ error: { message } }));
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
