// Measures how long insitu blocks the main thread while it loads objects and predicts, and how long the loads take.
import type { LibraryPage } from "../test/support/page.js";
import { networkBase } from "./networks.js";
import type * as Hold from "./page/hold.js";
import type { Report } from "./report.js";

declare global {
  interface Window {
    held: typeof Hold;
  }
}

const MAX_BLOCKED_MS = 50;

export async function holdOne(library: LibraryPage, report: Report): Promise<void> {
  await library.visit();
  const script = 'import * as held from "/bench/hold.js"; window.held = held;';
  await library.page.addScriptTag({ type: "module", content: script });
  await library.page.waitForFunction(() => "held" in window);
  const held = await library.page.evaluate(
    (base) => window.held.hold(window.insitu.createClient, base, "/photos/chelsea.jpg", "wasm", 50),
    networkBase("objects"),
  );
  const longest = Math.max(held.longestTask, held.longestWait);
  report.say(
    `\nlongest time that the main thread was blocked during load and 50 predictions of objects on wasm: ${longest.toFixed(1)} ms   ${report.mark(MAX_BLOCKED_MS, longest)}`,
  );
  report.say(
    `load of objects, worker start and warm-up included: ${held.coldLoadMs.toFixed(0)} ms from the network into an empty store, ${held.warmLoadMs.toFixed(0)} ms from the store`,
  );
  report.row({ part: "hold", model: "objects", backend: "wasm", ...held, target: MAX_BLOCKED_MS });
}
