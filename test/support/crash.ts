// Crashes a page: its process ends at once, with its workers.
import type { Page } from "playwright";

export async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent("crash");
  // Never answered: who would answer has crashed.
  void session.send("Page.crash").catch(() => undefined);
  await crashed;
  await page.close();
}
