// Fixtures for tests of the library in a page: a server and a browser context per file, new pages per test.
import type { BrowserContext, Page } from "playwright";
import { test as base } from "vitest";
import { importLibrary } from "./page.js";
import { startReceiver } from "./receiver.js";
import type { ServerOptions } from "./server.js";
import { openSharedLibrary } from "./shared-browser.js";
import type { SharedBrowser } from "./start-browsers.js";

export { expect } from "vitest";

/** Opens another page of the server, in the file's context unless another is given, and imports the library; it is closed after the test. */
export type Visit = (path?: string, context?: BrowserContext) => Promise<Page>;

/**
 * `test.override("serve", …)` and `test.override("browser", "webgpu")` at the top of a file change its server and its browser.
 */
export const test = base
  .extend("serve", { scope: "file" }, (): ServerOptions => ({}))
  .extend("browser", { scope: "file" }, (): SharedBrowser => "plain")
  .extend("library", { scope: "file" }, async ({ serve, browser }, { onCleanup }) => {
    const library = await openSharedLibrary(serve, browser);
    onCleanup(() => library.close());
    return library;
  })
  .extend("visit", async ({ library }, { onCleanup }): Promise<Visit> => {
    const { context } = library.chromium;
    onCleanup(async () => {
      await context.setOffline(false);
      for (const opened of context.pages().slice(1)) await opened.close();
    });
    return async (path = "", where = context) => {
      const opened = await where.newPage();
      await opened.goto(library.server.url + path);
      await importLibrary(opened);
      return opened;
    };
  })
  /** The test's first page, with the library in it. */
  .extend("page", ({ visit }) => visit())
  /** A telemetry collector that can fail in every way that a network can. */
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads which fixtures it needs from the pattern.
  .extend("receiver", async ({}, { onCleanup }) => {
    const receiver = await startReceiver();
    onCleanup(() => receiver.stop());
    return receiver;
  });
