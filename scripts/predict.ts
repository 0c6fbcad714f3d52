// `npm run predict -- photo.jpg`: runs the built library on pictures in a headless browser and prints the predictions.
import { type StdioOptions, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Page } from "playwright";
import type { ModelInfo } from "../src/shared/types/model.js";
import type { Backend } from "../src/shared/types/tensor.js";
import { type Chromium, launchChromium, SWIFTSHADER_WEBGPU } from "../test/support/chromium.js";
import { ensureBrowser } from "../test/support/install-browser.js";
import { startServer } from "../test/support/server.js";
import { type Outcome, printJson, printTable } from "./predict-print.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BACKENDS = ["webgpu", "wasm", "cpu"];
const USAGE = `npm run predict -- photo.jpg [more…] [options]

  --model <name>      objects (default), digits, or the folder of a package
  --backend <name>    webgpu, wasm or cpu (default: webgpu on a real GPU, otherwise wasm)
  --json              print JSON (use npm run --silent predict to omit npm's own lines)
  --help              print this help`;

/** Wrong usage: exit code 2. */
class UsageError extends Error {}

interface Options {
  photos: string[];
  model: string;
  backends: Backend[] | undefined;
  json: boolean;
}

/** The page's result. Errors are plain data, since an Error object from the page loses its fields. */
type PageResult = { ok: true; info: ModelInfo; predictions: Outcome[] } | { ok: false; code: string; message: string };

function options(): Options | undefined {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length === 0) throw new UsageError("No picture was given. Pass one or more files.");
  const backend = values.backend;
  if (backend !== undefined && !BACKENDS.includes(backend)) {
    throw new UsageError(`Unknown backend "${backend}". Pass one of ${BACKENDS.join(", ")}.`);
  }
  for (const photo of positionals) {
    if (!existsSync(photo)) throw new Error(`${photo}: there is no such file. Check the path.`);
    if (!statSync(photo).isFile()) throw new Error(`${photo} is not a file. Pass the path of a picture.`);
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
  // The build's output goes to standard error; standard output is for the result.
  const stdio: StdioOptions = ["ignore", process.stderr, process.stderr];
  const { status } = spawnSync("npm", ["run", script], { cwd: ROOT, stdio, shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`\`npm run ${script}\` failed with exit code ${status}; its output is above.`);
}

/** The folder of the package; builds it if it is one of models/ and missing. */
function packageFolder(model: string): string {
  const own = ["objects", "digits"].includes(model);
  const folder = own ? join(ROOT, "models", model, "package") : resolve(model);
  if (existsSync(join(folder, "insitu.json"))) return folder;
  if (!own)
    throw new Error(`${model} is not a package: it is not "objects", "digits" or a folder with an insitu.json.`);
  build("models");
  return folder;
}

/** Opens a page of the server. A software GPU is used only if webgpu was requested and there is no real one. */
async function openPage(url: string, backends: Backend[] | undefined): Promise<{ browser: Chromium; page: Page }> {
  const browser = await launchChromium({ args: ["--enable-unsafe-webgpu"] });
  const page = await browser.context.newPage();
  await page.goto(url);
  if (!backends?.includes("webgpu")) return { browser, page };
  const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null);
  if (adapter) return { browser, page };
  await browser.close();
  console.error("This machine has no GPU for WebGPU, so it runs in software (slow).");
  const software = await launchChromium({ args: SWIFTSHADER_WEBGPU });
  const second = await software.context.newPage();
  await second.goto(url);
  return { browser: software, page: second };
}

/** Runs in the page. It is sent as source text, so it must not use outer variables. */
async function predictInPage(task: {
  library: string;
  photos: number;
  backends: Backend[] | undefined;
}): Promise<PageResult> {
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

async function predict({ photos, backends }: Options, folder: string): Promise<PageResult> {
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

async function main(): Promise<void> {
  const given = options();
  if (!given) {
    console.log(USAGE);
    return;
  }
  ensureBrowser();
  if (!existsSync(join(ROOT, "dist", "worker.js"))) build("build");
  const result = await predict(given, packageFolder(given.model));
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  const print = given.json ? printJson : printTable;
  print(given.photos, result.info, result.predictions);
  process.exitCode = result.predictions.every((outcome) => outcome.ok) ? 0 : 1;
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  console.error(message);
  // With --json, standard output is always valid JSON.
  if (process.argv.includes("--json")) console.log(JSON.stringify({ error: { message } }));
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
