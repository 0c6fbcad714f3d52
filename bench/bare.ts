// Opens pages whose network is not inspected while they are measured, and reads the memory of their processes.
import { readFileSync, writeFileSync } from "node:fs";
import type { CDPSession } from "playwright";
import { launchChromium } from "../test/support/chromium.js";

/**
 * Playwright inspects the network of its own pages: each 64 kB becomes an event, bodies are kept for DevTools, and reading 256 MB
 * takes 2.0 s instead of 0.8 s and 30 MB more memory. Playwright does not inspect pages of the default context. That context also
 * has a profile on disk; others keep IndexedDB and the HTTP cache in memory.
 */
export interface BareBrowser {
  version: string;
  /** Opens a page in its own process. */
  open(url: string): Promise<BarePage>;
  /** Ids of the renderer processes. The browser does not say which page runs in which. */
  renderers(): Promise<number[]>;
  close(): Promise<void>;
}

export interface BarePage {
  /** Runs an expression, awaits it if it is a promise, and returns its value by JSON. */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

export async function launchBare(more: string[] = []): Promise<BareBrowser> {
  // The default size of the HTTP cache depends on the free disk space; 256 MB must fit.
  const args = ["--js-flags=--expose-gc", "--disk-cache-size=2000000000", ...more];
  const chromium = await launchChromium({ args });
  const cdp = await chromium.context.browser()?.newBrowserCDPSession();
  if (!cdp) throw new Error("The browser has exited.");
  return {
    version: chromium.version,
    open: (url) => openPage(cdp, url),
    renderers: () => renderers(cdp),
    close: chromium.close,
  };
}

async function renderers(cdp: CDPSession): Promise<number[]> {
  const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
}

interface CdpResponse {
  id: number;
  error?: { message: string };
  result?: { result: { value: unknown }; exceptionDetails?: { text: string; exception?: { description?: string } } };
}

async function openPage(cdp: CDPSession, url: string): Promise<BarePage> {
  const { targetId } = await cdp.send("Target.createTarget", { url: "about:blank" });
  // Not flat: Playwright's connection drops messages of sessions that it did not open.
  const { sessionId } = await cdp.send("Target.attachToTarget", { targetId, flatten: false });
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  const onMessage = (event: { sessionId: string; message: string }) => {
    if (event.sessionId !== sessionId) return;
    const { id, error, result } = JSON.parse(event.message) as CdpResponse;
    const call = open.get(id);
    open.delete(id);
    const thrown = result?.exceptionDetails;
    const problem = error?.message ?? (thrown && (thrown.exception?.description ?? thrown.text));
    if (problem) call?.reject(new Error(`In the page: ${problem}`));
    else call?.resolve(result?.result?.value);
  };
  const onEnd = (event: { sessionId: string }) => {
    if (event.sessionId !== sessionId) return;
    for (const { reject } of open.values()) reject(new Error("The page crashed or was closed."));
    open.clear();
  };
  cdp.on("Target.receivedMessageFromTarget", onMessage);
  cdp.on("Target.detachedFromTarget", onEnd);
  const ask = <T>(method: string, params: object) =>
    new Promise<T>((resolve, reject) => {
      const id = ++calls;
      open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      const message = JSON.stringify({ id, method, params });
      cdp.send("Target.sendMessageToTarget", { sessionId, message }).catch(reject);
    });
  const evaluate = <T>(expression: string) =>
    ask<T>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  await ask("Page.navigate", { url });
  // Otherwise `import()` could run in about:blank.
  while (!(await evaluate<boolean>(`location.href !== "about:blank" && document.readyState === "complete"`)));
  return {
    evaluate,
    async close() {
      cdp.off("Target.receivedMessageFromTarget", onMessage);
      cdp.off("Target.detachedFromTarget", onEnd);
      await cdp.send("Target.closeTarget", { targetId });
    },
  };
}

// ---- memory (Linux) ----------------------------------------------------------------------------------------------

/** Resets the recorded peak. */
export function resetPeak(pid: number): void {
  // proc_pid_clear_refs(5): 5 resets the peak resident set size to the current one.
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Resident bytes now, and their peak since `resetPeak`. */
export function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}
