// A page of a real Chromium and a site with the real dashboard for each test of a file, and what axe finds in the page.
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { type Chromium, launchChromium } from "../../../test/support/chromium.js";
import { reportFor } from "./dashboard-report.js";
import { rolloutsAt } from "./dashboard-rollouts.js";
import { type Site, startSite } from "./dashboard-site.js";

/** Of the test that runs. */
export interface Opened {
  site: Site;
  page: Page;
  /** What the browser said against the page: of its content security policy, of requests. */
  consoleErrors: string[];
  open(search?: string): Promise<void>;
}

/** To be called once, at the top of a file. An error of the page's scripts fails the test. */
export function useDashboard(): Opened {
  const opened = {} as Opened;
  let chromium: Chromium;
  let scriptErrors: string[] = [];
  beforeAll(async () => {
    chromium = await launchChromium();
  });
  afterAll(() => chromium.close());
  beforeEach(async () => {
    scriptErrors = [];
    opened.consoleErrors = [];
    opened.site = await startSite((question) => reportFor(question), rolloutsAt(Date.now()));
    opened.page = await chromium.context.newPage();
    opened.page.setDefaultTimeout(15_000);
    opened.page.on("pageerror", (error) => scriptErrors.push(error.message));
    opened.page.on("console", (message) => message.type() === "error" && opened.consoleErrors.push(message.text()));
  });
  afterEach(async () => {
    await opened.page.close();
    await opened.site.close();
    expect(scriptErrors).toEqual([]);
  });
  opened.open = async (search = "") => {
    await opened.page.goto(`${opened.site.url}/dashboard/${search}`);
    await opened.page.locator("#content[data-shows]").waitFor();
  };
  return opened;
}

/** What depends on colours alone. */
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];

/** In dark only the colours differ: the structure was judged in light. */
export async function expectAccessible(page: Page, scheme: "light" | "dark", what: string): Promise<void> {
  const axe = new AxeBuilder({ page });
  const { violations } = await (scheme === "dark" ? axe.withRules(COLOUR_RULES) : axe).analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
    what,
  ).toEqual([]);
}
