// Finds a Chromium on this machine and starts it headless, for the tests, `npm run predict` and the benchmarks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright";

/** Makes WebGPU run in software, on a machine without a GPU. Slow (100 times slower than wasm), but the real API. */
export const SWIFTSHADER_WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan,WebGPU",
  "--use-vulkan=swiftshader",
  "--ignore-gpu-blocklist",
];

/** No traffic of the browser's own, so that a request log holds the page's requests alone. */
const QUIET = [
  "--no-first-run",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const HOW_TO_INSTALL =
  "No Chrome, Chromium or Edge was found. Install one (`apt-get install chromium` on Debian or Ubuntu, or " +
  "`npx playwright install chromium` anywhere), or set CHROME_PATH to the browser's program.";

const NAMES = ["google-chrome-stable", "google-chrome", "chromium", "chromium-browser", "microsoft-edge-stable"];

function usualPlaces(): string[] {
  if (process.platform === "darwin") {
    const programs = ["Google Chrome", "Chromium", "Microsoft Edge"].map((n) => `${n}.app/Contents/MacOS/${n}`);
    return ["/Applications", join(process.env.HOME ?? "", "Applications")].flatMap((dir) =>
      programs.map((program) => join(dir, program)),
    );
  }
  if (process.platform === "win32") {
    const roots = [process.env.PROGRAMFILES, process.env["PROGRAMFILES(X86)"], process.env.LOCALAPPDATA];
    const programs = ["Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"];
    return roots.flatMap((root) => (root ? programs.map((program) => join(root, program)) : []));
  }
  const dirs = (process.env.PATH ?? "").split(":").filter(Boolean);
  const searched = NAMES.flatMap((name) => dirs.map((dir) => join(dir, name)));
  return [...searched, "/opt/google/chrome/chrome", "/snap/bin/chromium"];
}

function playwrightsOwn(): string[] {
  try {
    return [chromium.executablePath()];
  } catch {
    return []; // Playwright has no build for this system.
  }
}

/**
 * The browser's program: `CHROME_PATH`, else the system's Chrome, Chromium or Edge, else Playwright's download.
 * Throws with what to install when there is none, or when `CHROME_PATH` names nothing.
 */
export function findBrowser(): string {
  const given = process.env.CHROME_PATH;
  if (given && !existsSync(given)) throw new Error(`CHROME_PATH is ${given}, and there is no such file.`);
  const found = given ?? [...usualPlaces(), ...playwrightsOwn()].find((path) => existsSync(path));
  if (!found) throw new Error(HOW_TO_INSTALL);
  return found;
}

export interface LaunchOptions {
  /** Added to the flags every launch gets. */
  args?: string[];
  /** A profile that outlives the browser, for what must survive a restart. Default: none, as in a private window. */
  userDataDir?: string;
}

export interface Chromium {
  /** Opens pages: `context.newPage()`. */
  context: BrowserContext;
  /** Such as `138.0.7204.49`. */
  version: string;
  close(): Promise<void>;
}

/** What Playwright needs to start the browser that `findBrowser` finds, in the new headless mode: the old one has no WebGPU. */
export function launchSettings(args: string[] = []): { executablePath: string; headless: boolean; args: string[] } {
  // Chromium's sandbox refuses to run as root, which is what containers are.
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return { executablePath: findBrowser(), headless: true, args: ["--headless=new", ...root, ...QUIET, ...args] };
}

/** Starts a browser of its own. Test files that need no flags of their own use `connectChromium` (shared-browser.ts). */
export async function launchChromium({ args, userDataDir }: LaunchOptions = {}): Promise<Chromium> {
  const settings = launchSettings(args);
  if (userDataDir !== undefined) {
    const context = await chromium.launchPersistentContext(userDataDir, settings);
    const version = context.browser()?.version() ?? "unknown";
    return { context, version, close: () => context.close() };
  }
  const browser = await chromium.launch(settings);
  const context = await browser.newContext();
  return { context, version: browser.version(), close: () => browser.close() };
}
