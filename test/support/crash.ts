// Crashes a page: its process ends at once, with its workers.
import type { Page } from "playwright";

export async function crash(page: Page): Promise<void> {
  const crashNow = await prepareCrash(page);
  await crashNow();
}

/** For a crash at a certain moment: connecting to the page takes longer than some of what should be interrupted. */
export async function prepareCrash(page: Page): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  return async () => {
    const crashed = page.waitForEvent("crash");
    // Never answered, since the page has crashed.
    void session.send("Page.crash").catch(() => undefined);
    await crashed;
    await page.close();
  };
}
