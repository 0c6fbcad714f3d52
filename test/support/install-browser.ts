// Installs a browser where there is none: Playwright's download, or the distribution's package.
import { spawnSync } from "node:child_process";
import { findBrowser } from "./chromium.js";

/** Ten minutes: a browser is 150 MB or more, and the line may be slow. */
const INSTALL_LIMIT_MS = 600_000;

function run(command: string, args: string[]): boolean {
  console.error(`> ${command} ${args.join(" ")}`);
  const done = spawnSync(command, args, {
    // Standard output stays clean: `npm run predict -- --json` prints JSON there.
    stdio: ["ignore", process.stderr, process.stderr],
    timeout: INSTALL_LIMIT_MS,
    shell: process.platform === "win32",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return done.status === 0;
}

function isThere(): boolean {
  try {
    findBrowser();
    return true;
  } catch {
    return false;
  }
}

/** The browser's program, installed first when there is none. Throws with what to install when that fails too. */
export function ensureBrowser(): string {
  if (isThere() || process.env.CHROME_PATH) return findBrowser();
  run("npx", ["playwright", "install", "chromium"]);
  const mayUseApt = process.platform === "linux" && process.getuid?.() === 0;
  if (!isThere() && mayUseApt) {
    run("apt-get", ["update"]);
    // Ubuntu's `chromium` is a snap that a container cannot start; Debian's is the browser.
    run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"]);
  }
  return findBrowser();
}
