// A page with the library under a Content-Security-Policy; its scripts are files, which no policy here forbids.
import type { Page } from "playwright";
import type { Route, TestServer } from "./server.js";

const FILES: Record<string, [type: string, text: string]> = {
  "/policy/": ["text/html", '<!doctype html><script type="module" src="/policy/page.js"></script>'],
  "/policy/page.js": ["text/javascript", 'import * as insitu from "/dist/index.js"; window.insitu = insitu;'],
};

export const policyRoute: Route = (req, res) => {
  const file = FILES[req.url ?? ""];
  if (!file) return false;
  res.writeHead(200, { "Content-Type": file[0] }).end(file[1]);
  return true;
};

/** Every response carries the headers, that of the worker's script too: a worker has its own policy. */
export async function visitUnder(page: Page, server: TestServer, headers: Record<string, string>): Promise<void> {
  // What the browser kept has the headers of another test.
  server.manners.headers = { "Cache-Control": "no-store", ...headers };
  await page.goto(`${server.url}policy/`);
  await page.waitForFunction(() => "insitu" in window, undefined, { timeout: 10_000 });
}
