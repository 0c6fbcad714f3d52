// Measures the preprocessing of 1080p images to a 224 x 224 input, for each kind of image object.
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

/** `decoding`: a file must be decoded first; there is no target for that. */
const KINDS = ["bitmap", "canvas", "image element", "image data", "frame", "JPEG file, decoding", "new image element, decoding"]; // biome-ignore format: one line
const TARGET_MS = 3;

/** Resolves to the browser's version. */
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
      "input                          worker p50   p95   on the page p50   p95   transfer p50   sum p50 and target",
    );
    for (const kind of KINDS) {
      const samples = await library.page.evaluate(
        ([what, count]) => window.preprocess.measure(window.insitu.createClient, what, count),
        [kind, rounds] as const,
      );
      const cells = (times: number[], wide: number) =>
        percentile(times, 0.5).toFixed(2).padStart(wide) + percentile(times, 0.95).toFixed(2).padStart(7);
      const worker = samples.map(({ preprocessMs: preprocess }) => preprocess);
      const page = samples.map(({ blockedMs }) => blockedMs);
      const way = samples.map(({ transferMs: transfer }) => transfer);
      const whole = samples.map(({ preprocessMs: preprocess, transferMs: transfer }) => preprocess + transfer);
      const p50 = percentile(whole, 0.5);
      const target = kind.endsWith("decoding") ? undefined : TARGET_MS;
      report.say(
        `${kind.padEnd(30)}${cells(worker, 11)}${cells(page, 16)}${percentile(way, 0.5).toFixed(2).padStart(20)}      ${p50.toFixed(2).padStart(6)}  ${report.mark(target, p50)}`,
      );
      report.row({ part: "preprocess", kind, n: samples.length, worker: percentile(worker, 0.5), page: percentile(page, 0.5), transfer: percentile(way, 0.5), p50, p95: percentile(whole, 0.95), target }); // biome-ignore format: one line
    }
    return library.chromium.version;
  } finally {
    await library.close();
    rmSync(folder, { recursive: true });
  }
}
