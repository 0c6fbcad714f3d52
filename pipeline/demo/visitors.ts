// Simulated visitors in a real Chromium: each in a context of its own, with a seed, a store and so an arm of its own.
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import type { Digit } from "../../models/digits/data.js";
import { findBrowser } from "../../test/support/chromium.js";
import { toPixels } from "../steps/labels.js";
import { pause } from "./wait.js";

/** One digit that a visitor wrote, and what the page read. */
export interface Read {
  at: number;
  isRight: boolean;
  version: string;
  arm: string;
}

export interface Visitors {
  reads: Read[];
  /** Which version each visitor's page runs. */
  versions(): Promise<{ version: string; arm: string }[]>;
  /** Chooses the next digit of the visitors from now on. */
  write(next: () => Digit): void;
  /** Rejects with what a page failed with. */
  check(): void;
  close(): Promise<void>;
}

interface WindowOfPage {
  write(pixels: string, label: number): Promise<{ read: number; version: string; arm: string }>;
}

/** Between two digits of a visitor. By the clock, so that fast machines do not use up the digits and slow ones have labels enough. */
const PERIOD_MS = 320;

export async function startVisitors(url: string, count: number): Promise<Visitors> {
  const browser: Browser = await chromium.launch({ executablePath: findBrowser(), headless: true });
  const reads: Read[] = [];
  const problems: string[] = [];
  let next: (() => Digit) | undefined;
  let isClosed = false;
  const contexts: BrowserContext[] = [];
  const pages: Page[] = [];
  for (let i = 0; i < count; i += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => "write" in window, undefined, { timeout: 60_000 });
    await page.locator("#consent").check();
    contexts.push(context);
    pages.push(page);
  }
  const visit = async (page: Page) => {
    while (!isClosed) {
      const due = Date.now() + PERIOD_MS;
      const digit = next?.();
      if (digit) {
        const given = { pixels: toPixels(digit), label: digit.label };
        const { read, version, arm } = await page.evaluate(
          ({ pixels, label }) => (window as unknown as WindowOfPage).write(pixels, label),
          given,
        );
        reads.push({ at: Date.now(), isRight: read === digit.label, version, arm });
      }
      await pause(due - Date.now());
    }
  };
  const visits = pages.map((page) => visit(page).catch((error) => void (isClosed || problems.push(String(error)))));
  return {
    reads,
    write(digits) {
      next = digits;
    },
    check() {
      if (problems.length > 0) throw new Error(`A page failed: ${problems[0]}`);
    },
    versions: () =>
      Promise.all(
        pages.map(async (page) => {
          const [, version = "", arm = ""] =
            /^Version (\S+) \((\w+)\)/.exec((await page.locator("#version").textContent()) ?? "") ?? [];
          return { version, arm };
        }),
      ),
    async close() {
      isClosed = true;
      await Promise.all(visits);
      await browser.close();
    },
  };
}
