// The packed tarball in a new Vite app outside the workspace: installs, type-checks, builds, reads a digit.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { heldOut } from "../../../models/digits/data.js";
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { startServer } from "../../support/server.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SHELL = process.platform === "win32";
/** Installing over a slow line. */
const INSTALL_MS = 170_000;

/** The first held-out image of each digit, in the grey values of an image. */
const DIGITS = Array.from({ length: 10 }, (_, digit) => {
  const image = heldOut().find(({ label }) => label === digit);
  if (!image) throw new Error(`There is no held-out ${digit}.`);
  return { label: String(digit), grey: Array.from(image.pixels, (value) => Math.round(255 * value)) };
});

/** What the app's main.ts offers. */
interface App {
  read(grey: number[]): Promise<{ best?: { label: string; score: number }; backend: string; refused: string[] }>;
}

let folder: string;
let app: string;
let browser: Chromium;

function run(program: string, args: string[], cwd: string): string {
  return execFileSync(program, args, { cwd, encoding: "utf8", shell: SHELL, stdio: ["ignore", "pipe", "pipe"] });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-consumer-"));
  app = join(folder, "app");
  cpSync(join(ROOT, "test/consumers/vite/app"), app, { recursive: true });
  cpSync(join(ROOT, "models/digits/package"), join(app, "public/models/digits"), { recursive: true });
  run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], ROOT);
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (!tarball) throw new Error(`npm pack left no tarball in ${folder}.`);
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules/vite/package.json"), "utf8")) as {
    version: string;
  };
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
  run("npm", ["install", ...quiet, join(folder, tarball)], app);
  run("npm", ["install", "--save-dev", ...quiet, `vite@${version}`], app);
  // Without a GPU the answer must come from wasm, whose binaries are what a bundler loses.
  browser = await launchChromium({ args: ["--disable-gpu"] });
}, INSTALL_MS);

afterAll(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Opens the app, reads a held-out digit of each kind, and expects no error in the console. */
async function readsDigits(url: string): Promise<void> {
  const page = await browser.context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await page.goto(url);
    await page.getByText("ready").waitFor({ timeout: 30_000 });
    for (const { label, grey } of DIGITS) {
      const answer = await page.evaluate((pixels) => (window as unknown as App).read(pixels), grey);
      expect(answer.best?.label).toBe(label);
      // Nothing is configured: the binaries are found wherever the bundler put them.
      expect(answer.backend, answer.refused.join("; ")).toBe("wasm");
    }
    expect(errors).toEqual([]);
  } finally {
    await page.close();
  }
}

/** Starts the app's own `vite dev` on a free port; resolves with its address. */
function startDev(): Promise<{ url: string; server: ChildProcess }> {
  const vite = join(app, "node_modules/vite/bin/vite.js");
  const server = spawn(process.execPath, [vite, "--host", "127.0.0.1", "--port", "0"], {
    cwd: app,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (data: Buffer) => {
      output += data;
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0];
      if (url) resolve({ url, server });
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("exit", (code) => reject(new Error(`vite dev ended with ${code}: ${output}`)));
  });
}

describe("a stranger's Vite app", () => {
  test("installing insitu installs nothing else", () => {
    const installed = JSON.parse(readFileSync(join(app, "node_modules/insitu/package.json"), "utf8"));
    expect(installed.dependencies).toBeUndefined();
    expect(installed.peerDependencies).toBeUndefined();
  });

  test("the types hold in the stranger's own TypeScript, library files included", () => {
    run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", app], app);
  });

  test("vite build: the built page reads held-out digits", async () => {
    run("npm", ["run", "build"], app);
    const server = await startServer({ mounts: { "/": join(app, "dist") } });
    try {
      await readsDigits(server.url);
    } finally {
      await server.close();
    }
  });

  test("vite dev: the page reads held-out digits", async () => {
    const { url, server } = await startDev();
    try {
      await readsDigits(url);
    } finally {
      server.kill();
    }
  });
});
