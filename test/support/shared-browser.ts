// Contexts in the browsers that all test files of a run share (start-browsers.ts).
import { chromium } from "playwright";
import { inject } from "vitest";
import type { Chromium } from "./chromium.js";
import { type LibraryPage, openLibraryIn } from "./page.js";
import type { ServerOptions } from "./server.js";
import type { SharedBrowser } from "./start-browsers.js";

/** A new context in a shared browser, which knows nothing of other contexts. `close` also closes contexts made beside it. */
export async function connectChromium(shared: SharedBrowser = "plain"): Promise<Chromium> {
  const browser = await chromium.connect(inject("browsers")[shared]);
  const context = await browser.newContext();
  return { context, version: browser.version(), close: () => browser.close() };
}

/** A server of its own and a page with the library, in a new context of a shared browser. */
export async function openSharedLibrary(serve?: ServerOptions, shared?: SharedBrowser): Promise<LibraryPage> {
  return openLibraryIn(await connectChromium(shared), serve);
}
