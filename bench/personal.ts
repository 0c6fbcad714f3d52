// Measures personal models: accuracy after a few examples, time to add and to train, bytes per example.
import { fromFile } from "../src/worker/personal/export-format.js";
import type { ExportedExample } from "../src/worker/personal/export-schema.js";
import { type LibraryPage, openLibrary } from "../test/support/page.js";
import { fewShot, otherCrops, type Score, SEEDS, surfaceCrops, writersDigits } from "./few-shot.js";
import { inTime } from "./in-time.js";
import type * as Page from "./page/personal.js";
import { PAGE } from "./page-build.js";
import type { Report } from "./report.js";
import { percentile } from "./statistics.js";

declare global {
  interface Window {
    personal: typeof Page;
  }
}

/** Issue 6. */
const MIN_ACCURACY_AT_FIVE = 0.9;
const MAX_ADD_MS_OVER_PREDICT = 2;
const MAX_TRAIN_MS = 1_000;
const MAX_BLOCKED_MS = 50;

const EMBEDDINGS = ["features", "objects"] as const;
const ROUNDS = 41;
const TRAININGS = 9;
const PER_CLASS = 80;
const MAX_MINUTES = 8;

/** Resolves to the browser's version. */
export async function benchPersonal(
  { rounds = ROUNDS, only }: { rounds?: number; only?: string },
  report: Report,
): Promise<string> {
  const library = await openLibrary({}, { mounts: { "/bench/": PAGE } });
  const row = { part: "personal", browser: library.chromium.version };
  const isWanted = (name: string) => only === undefined || only === name;
  try {
    report.say(
      `\nPersonal models: accuracy on images not used for training, mean over ${SEEDS} seeds with 95 % confidence interval`,
    );
    for (const embedding of EMBEDDINGS.filter(isWanted)) await surfaces(library, embedding, row, report);
    if (isWanted("digits")) await writer(library, row, report);
    report.say("\nCost on wasm; milliseconds, medians");
    for (const model of [...EMBEDDINGS, "digits"].filter(isWanted)) await addition(library, model, rounds, row, report);
    if (isWanted("features")) await training(library, row, report);
    return library.chromium.version;
  } catch (error) {
    report.error(row, error);
    return library.chromium.version;
  } finally {
    await library.close();
  }
}

async function openPart(library: LibraryPage): Promise<void> {
  await library.visit();
  const content = 'import * as personal from "/bench/personal.js"; window.personal = personal;';
  await library.page.addScriptTag({ type: "module", content });
  await library.page.waitForFunction(() => "personal" in window);
}

async function examplesOf(file: string): Promise<ExportedExample[]> {
  return (await fromFile(new Uint8Array(Buffer.from(file, "base64")))).examples;
}

async function surfaces(library: LibraryPage, embedding: string, row: object, report: Report): Promise<void> {
  await openPart(library);
  const { learn, ask } = surfaceCrops(1);
  const other = otherCrops(2);
  const crops = [...learn, ...ask, ...other];
  const run = library.page.evaluate(
    ([folder, all]) => window.personal.embedCrops(window.insitu.createClient, folder, all),
    [embedding, crops] as const,
  );
  const all = await examplesOf(await inTime(run, MAX_MINUTES, `Embedding crops with ${embedding}`));
  const [from, to] = [learn.length, learn.length + ask.length];
  const scores = await fewShot(all.slice(0, from), all.slice(from, to), all.slice(to));
  report.say(`  surfaces on ${embedding} (${all[0]?.vector.length} numbers)`);
  for (const score of scores)
    print(score, row, { what: "surfaces", embedding }, report, score.shots === 5 ? MIN_ACCURACY_AT_FIVE : undefined);
}

async function writer(library: LibraryPage, row: object, report: Report): Promise<void> {
  await openPart(library);
  const digits = writersDigits(PER_CLASS).map(({ pixels, label }) => ({ pixels: [...pixels], label: String(label) }));
  const run = library.page.evaluate((all) => window.personal.embedDigits(window.insitu.createClient, all), digits);
  const { file, read } = await inTime(run, MAX_MINUTES, "Embedding digits");
  const all = await examplesOf(file);
  const isAsked = (index: number) => index % PER_CLASS >= PER_CLASS / 2;
  const asked = all.filter((_, index) => isAsked(index));
  const correct = read.filter((best, index) => isAsked(index) && String(best) === all[index]?.label).length;
  report.say(
    `  digits of another writer, rotated by 35 degrees and thick: accuracy of the base model ${(correct / asked.length).toFixed(3)}`,
  );
  report.row({ ...row, what: "another writer, base model", accuracy: correct / asked.length });
  const scores = await fewShot(
    all.filter((_, index) => !isAsked(index)),
    asked,
    [],
  );
  for (const score of scores) print(score, row, { what: "another writer", embedding: "digits" }, report);
}

function print(
  score: Score,
  row: object,
  what: { what: string; embedding: string },
  report: Report,
  atLeast?: number,
): void {
  const { shots, accuracy, falseUnknown, trueUnknown, softmaxTaken } = score;
  const interval = `${accuracy.mean.toFixed(3)} +- ${accuracy.half.toFixed(3)}`;
  const target = report.mark(atLeast === undefined ? undefined : { atLeast }, accuracy.mean);
  const others = trueUnknown === undefined ? "" : `, other objects called unknown ${trueUnknown.toFixed(2)}`;
  report.say(
    `    ${String(shots).padStart(2)} per class   ${interval}   ${target}; called unknown ${falseUnknown.toFixed(2)}${others}; softmax layer chosen ${softmaxTaken.toFixed(2)}`,
  );
  report.row({ ...row, ...what, ...score, target: atLeast });
}

async function addition(
  library: LibraryPage,
  model: string,
  rounds: number,
  row: object,
  report: Report,
): Promise<void> {
  await openPart(library);
  const run = library.page.evaluate(
    ([folder, crops, times]) => window.personal.addition(window.insitu.createClient, folder, crops, times),
    [model, surfaceCrops(3).learn, rounds] as const,
  );
  const { predict, add, bytesEach } = await inTime(run, MAX_MINUTES, `Adding on ${model}`);
  const [predictP50, addP50] = [percentile(predict, 0.5), percentile(add, 0.5)];
  const over = addP50 - predictP50;
  report.say(
    `  add on ${model.padEnd(9)} ${addP50.toFixed(2)} / predict ${predictP50.toFixed(2)}   ${over.toFixed(2)} more   ${report.mark(MAX_ADD_MS_OVER_PREDICT, over)}; ${Math.round(bytesEach)} bytes per example`,
  );
  report.row({
    ...row,
    what: "add",
    model,
    n: add.length,
    addP50,
    predictP50,
    over,
    bytesEach,
    target: MAX_ADD_MS_OVER_PREDICT,
  });
}

async function training(library: LibraryPage, row: object, report: Report): Promise<void> {
  await openPart(library);
  // Five classes of twenty examples: the surfaces, and two of the other photos.
  const { learn } = surfaceCrops(4);
  const others = otherCrops(5).map(({ photo, x, y }) => ({ photo, label: photo, x, y }));
  const all = [...learn, ...others, ...otherCrops(6).map((crop) => ({ ...crop, label: crop.photo }))];
  const classes = ["brick", "grass", "gravel", "coffee", "chelsea"];
  const crops = classes.flatMap((label) => all.filter((crop) => crop.label === label).slice(0, 20));
  const run = library.page.evaluate(
    ([given, times]) => window.personal.training(window.insitu.createClient, "features", given, times),
    [crops, TRAININGS] as const,
  );
  const { times, longest, examples, heads } = await inTime(run, MAX_MINUTES, "Training");
  const [p50, p95] = [percentile(times, 0.5), percentile(times, 0.95)];
  report.say(
    `  training ${examples} examples of 5 classes (${heads.join(", ")})   ${p50.toFixed(0)}, p95 ${p95.toFixed(0)}   ${report.mark(MAX_TRAIN_MS, p50)}`,
  );
  report.say(
    `  longest task of the main thread while adding and training (0 if under 50)   ${longest.toFixed(0)}   ${report.mark(MAX_BLOCKED_MS, longest)}`,
  );
  const kept = await inTime(
    library.page.evaluate(
      (given) => window.personal.keeping(window.insitu.createClient, "features", given),
      crops.slice(0, 20),
    ),
    MAX_MINUTES,
    "Keeping",
  );
  report.say(`  bytes of an example that keeps its crop of 128 x 128 pixels   ${Math.round(kept)}   (reported)`);
  report.row({ ...row, what: "training", examples, p50, p95, longest, keptBytes: kept, target: MAX_TRAIN_MS });
}
