// Vitest global setup: starts the browsers that all test files of a run share, one for each set of flags.
import { type BrowserServer, chromium } from "playwright";
import type { TestProject } from "vitest/node";
import { launchSettings, SWIFTSHADER_WEBGPU } from "./chromium.js";

/** `plain` has no flags; `webgpu` has WebGPU in software. */
export type SharedBrowser = "plain" | "webgpu";

declare module "vitest" {
  interface ProvidedContext {
    /** WebSocket address of each shared browser. */
    browsers: Record<SharedBrowser, string>;
  }
}

/** Set by `npm test`, which runs several Vitest projects with the same browsers. */
const VARIABLE = "INSITU_BROWSERS";

export interface Browsers {
  addresses: Record<SharedBrowser, string>;
  close(): Promise<void>;
}

export async function startBrowsers(): Promise<Browsers> {
  const start = (args: string[] = []): Promise<BrowserServer> =>
    chromium.launchServer({ ...launchSettings(args), host: "127.0.0.1" });
  const [plain, webgpu] = await Promise.all([start(), start(SWIFTSHADER_WEBGPU)]);
  return {
    addresses: { plain: plain.wsEndpoint(), webgpu: webgpu.wsEndpoint() },
    async close() {
      await Promise.all([plain.close(), webgpu.close()]);
    },
  };
}

/** Starts the browsers for this process and the processes that it starts. */
export async function shareBrowsers(): Promise<Browsers> {
  const browsers = await startBrowsers();
  process.env[VARIABLE] = JSON.stringify(browsers.addresses);
  return browsers;
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env[VARIABLE];
  const own = running ? undefined : await startBrowsers();
  project.provide("browsers", own?.addresses ?? JSON.parse(running ?? "{}"));
  return own?.close;
}
