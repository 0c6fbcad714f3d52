// The browsers of the suite that runs in all of them, and how each is found and started.
import { type AnyBrowser, pageRunner } from "./any-browser.js";
import { launchChromium } from "./chromium.js";
import { findFirefox, launchFirefox } from "./firefox.js";
import { findWebKit, launchWebKit } from "./webkitgtk.js";

export interface BrowserKind {
  name: "Chromium" | "Firefox" | "WebKitGTK";
  /** Whether it is on this machine. */
  isInstalled(): boolean;
  launch(): Promise<AnyBrowser>;
}

export const BROWSER_KINDS: readonly BrowserKind[] = [
  { name: "Chromium", isInstalled: () => true, launch: launchAnyChromium },
  { name: "Firefox", isInstalled: () => findFirefox() !== undefined, launch: launchFirefox },
  { name: "WebKitGTK", isInstalled: () => findWebKit() !== undefined, launch: launchWebKit },
];

/** In the same way as the other browsers, values as JSON, so that a difference between them is one of the library. */
async function launchAnyChromium(): Promise<AnyBrowser> {
  const { context, version, close } = await launchChromium();
  const page = await context.newPage();
  return {
    version,
    page: pageRunner((script) => page.evaluate<string>(script)),
    async goto(url) {
      await page.goto(url);
    },
    close,
  };
}
