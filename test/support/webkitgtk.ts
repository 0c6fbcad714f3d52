// WebKitGTK's small browser by WebDriver: finds it on this machine and starts it, on a display of its own where there is none.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Builder, Capabilities } from "selenium-webdriver";
import { type AnyBrowser, pageRunner } from "./any-browser.js";
import { findProgram } from "./find-program.js";

const SCRIPT_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 20_000;

interface Programs {
  driver: string;
  browser: string;
  /** Undefined where a display is there already. */
  display?: string;
}

/** The programs of Debian's `webkit2gtk-driver`, `libwebkit2gtk-4.1-0` and `xvfb`; `undefined` when one is missing. */
export function findWebKit(): Programs | undefined {
  const driver = findProgram(["WebKitWebDriver"]);
  const browser = findMiniBrowser();
  const display = process.env.DISPLAY ? undefined : findProgram(["Xvfb"]);
  if (!driver || !browser || !(display || process.env.DISPLAY)) return undefined;
  return { driver, browser, display };
}

/** In a folder named by processor and version, such as `/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1`. */
function findMiniBrowser(): string | undefined {
  const list = (folder: string) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []);
  const folders = list("/usr/lib").flatMap((folder) => (folder.endsWith("-linux-gnu") ? list(folder) : [folder]));
  return folders
    .filter((folder) => /webkit2gtk-[\d.]+$/.test(folder))
    .map((folder) => join(folder, "MiniBrowser"))
    .find((path) => existsSync(path));
}

export async function launchWebKit(): Promise<AnyBrowser> {
  const programs = findWebKit();
  if (!programs)
    throw new Error(
      "No WebKitGTK was found. Install it (`apt-get install webkit2gtk-driver libwebkit2gtk-4.1-0 xvfb`).",
    );
  const started: ChildProcess[] = [];
  const end = () => {
    for (const child of started.reverse()) child.kill();
  };
  try {
    const env = { ...process.env };
    if (programs.display) {
      const screen = spawn(programs.display, ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      started.push(screen);
      env.DISPLAY = `:${await firstLine(screen)}`;
    }
    const port = await freePort();
    started.push(spawn(programs.driver, [`--port=${port}`], { stdio: "ignore", env }));
    const driver = await connect(port, programs.browser);
    await driver.manage().setTimeouts({ script: SCRIPT_TIMEOUT_MS });
    const version = (await driver.getCapabilities()).get("browserVersion");
    return {
      version,
      page: pageRunner((script) => driver.executeAsyncScript(`(${script}).then(arguments[arguments.length - 1])`)),
      goto: (url) => driver.get(url),
      async close() {
        await driver.quit().catch(() => undefined);
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}.`)));
    child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim()));
  });
}

/** Tries until the driver listens. */
async function connect(port: number, binary: string) {
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary, args: ["--automation"] },
  });
  for (const until = Date.now() + START_TIMEOUT_MS; ; ) {
    try {
      return await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities(capabilities).build();
    } catch (error) {
      if (Date.now() > until || !/ECONNREFUSED/.test(String(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
