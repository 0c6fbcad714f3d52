// Firefox by WebDriver BiDi: finds it on this machine and starts it headless.
import puppeteer from "puppeteer-core";
import { type AnyBrowser, pageRunner } from "./any-browser.js";
import { findProgram } from "./find-program.js";

/** `FIREFOX_PATH`, else a Firefox of the system; `undefined` without one. */
export function findFirefox(): string | undefined {
  return (
    process.env.FIREFOX_PATH ??
    findProgram(
      ["firefox-esr", "firefox"],
      ["/Applications/Firefox.app/Contents/MacOS/firefox", "C:/Program Files/Mozilla Firefox/firefox.exe"],
    )
  );
}

export async function launchFirefox(): Promise<AnyBrowser> {
  const executablePath = findFirefox();
  if (!executablePath) throw new Error("No Firefox was found. Install one (`apt-get install firefox-esr`).");
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
  const page = await browser.newPage();
  return {
    version: (await browser.version()).replace("firefox/", ""),
    page: pageRunner((script) => page.evaluate(script) as Promise<string>),
    async goto(url) {
      await page.goto(url);
    },
    close: () => browser.close(),
  };
}
