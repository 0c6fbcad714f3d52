// A page with the built library, from a server that also serves the real models.
import type { Page } from "playwright";
import { type Chromium, type LaunchOptions, launchChromium } from "./chromium.js";
import { type ServerOptions, startServer, type TestServer } from "./server.js";

export interface LibraryPage {
  page: Page;
  server: TestServer;
  chromium: Chromium;
  /** Opens the page again and imports the library again; a path is relative to the server. */
  visit(path?: string): Promise<void>;
  close(): Promise<void>;
}

export const MOUNTS = {
  "/dist/": "dist",
  "/models/objects/": "models/objects/package",
  "/models/digits/": "models/digits/package",
  "/models/features/": "models/features/package",
  "/models/ranker/": "models/ranker/package",
  "/photos/": "demo/public/photos",
};

/** Makes `window.insitu` the library, in a page of the server. */
export async function importLibrary(page: Page): Promise<void> {
  // As text, since Vitest rewrites imports; and nothing is polled for, which on a busy machine waits for frames that do not come.
  await page.evaluate('import("/dist/index.js").then((insitu) => { window.insitu = insitu; })');
}

/** Starts a browser of its own. Test files that need no flags use `openSharedLibrary`. */
export async function openLibrary(launch: LaunchOptions = {}, serve: ServerOptions = {}): Promise<LibraryPage> {
  return openLibraryIn(await launchChromium(launch), serve);
}

/** Starts a server; `close` closes it and the browser. */
export async function openLibraryIn(chromium: Chromium, serve: ServerOptions = {}): Promise<LibraryPage> {
  const server = await startServer({ ...serve, mounts: { ...MOUNTS, ...serve.mounts } });
  const page = await chromium.context.newPage();
  const visit = async (path = "") => {
    await page.goto(server.url + path);
    await importLibrary(page);
  };
  await visit();
  return {
    page,
    server,
    chromium,
    visit,
    async close() {
      await chromium.close();
      await server.close();
    },
  };
}
