// Vitest global setup: starts the browsers that all test files of a run share, one for each set of flags.
import { type BrowserServer, chromium } from "playwright";
import type { ProvidedContext } from "vitest";
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

/** Addresses of the browsers that are running, for other Vitest projects and for other processes of the same run. */
const VARIABLE = "INSITU_BROWSERS";

export interface SharedBrowsers {
  close(): Promise<void>;
}

/** Starts the browsers, for this process and for those that it starts. */
export async function shareBrowsers(): Promise<SharedBrowsers> {
  const start = (args: string[] = []): Promise<BrowserServer> =>
    chromium.launchServer({ ...launchSettings(args), host: "127.0.0.1" });
  const [plain, webgpu] = await Promise.all([start(), start(SWIFTSHADER_WEBGPU)]);
  const addresses: ProvidedContext["browsers"] = { plain: plain.wsEndpoint(), webgpu: webgpu.wsEndpoint() };
  process.env[VARIABLE] = JSON.stringify(addresses);
  return {
    async close() {
      delete process.env[VARIABLE];
      await Promise.all([plain.close(), webgpu.close()]);
    },
  };
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const own = process.env[VARIABLE] ? undefined : await shareBrowsers();
  project.provide("browsers", JSON.parse(process.env[VARIABLE] as string));
  return own?.close;
}
