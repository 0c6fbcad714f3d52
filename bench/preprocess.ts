// How long pictures of 1080p take from the caller's object to the numbers of a 224 x 224 input, kind by kind.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLibrary } from "../test/support/page.js";
import { makePictureModel } from "../test/support/pictures.js";
import type * as Preprocess from "./page/preprocess.js";
import { PAGE } from "./page-build.js";
import type { Report } from "./report.js";
import { percentile } from "./statistics.js";

declare global {
  interface Window {
    preprocess: typeof Preprocess;
  }
}

export interface PreprocessOptions {
  rounds: number;
}

/** `decoding`: the kind's file must be decoded first, which no target is set for. */
const KINDS = ["bitmap", "canvas", "image element", "image data", "frame", "JPEG file, decoding", "new image element, decoding"]; // biome-ignore format: one line
const TARGET_MS = 3;

/** Answers the browser's version. */
export async function benchPreprocess({ rounds }: PreprocessOptions, report: Report): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "insitu-pictures-"));
  await makePictureModel(folder, { width: 224, height: 224, boxesOnly: true });
  const library = await openLibrary({}, { mounts: { "/models/pictures/": folder, "/bench/": PAGE } });
  await library.page.addScriptTag({
    type: "module",
    content: 'import * as measure from "/bench/preprocess.js"; window.preprocess = measure;',
  });
  await library.page.waitForFunction(() => "preprocess" in window);
  try {
    report.say(`\n1920 x 1080 to 224 x 224, ${rounds} rounds, milliseconds`);
    report.say(
      "input                          worker p50   p95   on the page p50   p95   way there and back p50   target for all p50",
    );
    for (const kind of KINDS) {
      const seen = await library.page.evaluate(
        ([what, count]) => window.preprocess.measure(window.insitu.createClient, what, count),
        [kind, rounds] as const,
      );
      const cells = (times: number[], wide: number) =>
        percentile(times, 0.5).toFixed(2).padStart(wide) + percentile(times, 0.95).toFixed(2).padStart(7);
      const worker = seen.map(({ preprocessMs: preprocess }) => preprocess);
      const page = seen.map(({ held }) => held);
      const way = seen.map(({ transferMs: transfer }) => transfer);
      const whole = seen.map(({ preprocessMs: preprocess, transferMs: transfer }) => preprocess + transfer);
      const p50 = percentile(whole, 0.5);
      const target = kind.endsWith("decoding") ? undefined : TARGET_MS;
      report.say(
        `${kind.padEnd(30)}${cells(worker, 11)}${cells(page, 16)}${percentile(way, 0.5).toFixed(2).padStart(20)}      ${p50.toFixed(2).padStart(6)}  ${report.mark(target, p50)}`,
      );
      report.row({ part: "preprocess", kind, n: seen.length, worker: percentile(worker, 0.5), page: percentile(page, 0.5), transfer: percentile(way, 0.5), p50, p95: percentile(whole, 0.95), target }); // biome-ignore format: one line
    }
    return library.chromium.version;
  } finally {
    await library.close();
    rmSync(folder, { recursive: true });
  }
}
