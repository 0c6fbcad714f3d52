// Opens an app in Chromium as a visitor does, twice, and reads held-out digits.
import type { BrowserContext, Page } from "playwright";
import { expect } from "vitest";
import { heldOut } from "../../../models/digits/data.js";

/** What the app's `readDigit` tells. */
interface Reading {
  label?: string;
  backend?: string;
  source?: string;
  refused: string[];
  error?: string;
}

type ReadDigit = (grey: number[]) => Promise<Reading>;

/** The first held-out image of a digit, as the model's input. */
export function heldOutDigit(label: string): Float32Array {
  const image = heldOut().find((candidate) => String(candidate.label) === label);
  if (!image) throw new Error(`There is no held-out ${label}.`);
  return Float32Array.from(image.pixels);
}

/** Three digits in the grey values of an image. */
const DIGITS = ["2", "5", "7"].map((label) => ({
  label,
  grey: Array.from(heldOutDigit(label), (value) => Math.round(255 * value)),
}));

export interface VisitOptions {
  /** The backend that must answer. Default: wasm, since the tests' browser has no GPU; its binaries are what bundlers lose. */
  backend?: string;
}

/** A visit with the model's host there, then a second one without it. Throws what the console or a policy reported. */
export async function visitTwice(
  context: BrowserContext,
  url: string,
  removeModels: () => void,
  { backend = "wasm" }: VisitOptions = {},
): Promise<void> {
  const page = await context.newPage();
  const complaints = await collectComplaints(page);
  try {
    await page.goto(url);
    await expectReadings(page, "network", backend);
    expect(await complaints()).toEqual([]);
    removeModels();
    await page.reload();
    await expectReadings(page, "cache", backend);
    expect(await complaints()).toEqual([]);
  } finally {
    await page.close();
  }
}

async function expectReadings(page: Page, source: string, backend: string): Promise<void> {
  await page.locator("[data-app=ready]").waitFor({ state: "attached", timeout: 60_000 });
  for (const [index, { label, grey }] of DIGITS.entries()) {
    const reading = await page.evaluate(
      (pixels) => (window as unknown as { readDigit: ReadDigit }).readDigit(pixels),
      grey,
    );
    expect(reading).toMatchObject({ label, backend });
    if (index === 0) expect(reading.source).toBe(source);
  }
}

/** What the page's console, its uncaught errors and its policies say is wrong. */
async function collectComplaints(page: Page): Promise<() => Promise<string[]>> {
  const found: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`uncaught: ${error.message}`));
  await page.addInitScript(() => {
    const violations: string[] = [];
    Object.assign(window, { violations });
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
      violations.push(`${effectiveDirective}: ${blockedURI}`),
    );
  });
  return async () => {
    const violations = await page.evaluate(() => (window as unknown as { violations: string[] }).violations);
    return [...found, ...violations.map((violation) => `policy: ${violation}`)];
  };
}
