// The demo's story: a writer whose digits lean, the trigger, the canary, the promotion, and the accuracy before, meanwhile and after.
import { seeded } from "../../models/digits/augment.js";
import { type Digit, heldOut, training } from "../../models/digits/data.js";
import { shuffle } from "../../models/digits/train.js";
import type { RetrainRequest } from "../receiver.js";
import { turned } from "./shift.js";
import type { Read, Visitors } from "./visitors.js";
import { pause, within } from "./wait.js";

const DEGREES = 40;
const BEFORE_MS = 25_000;
const AFTER_MS = 30_000;
const FIRE_MS = 120_000;
const RUN_MS = 360_000;
/** Accuracy that counts as back, and digits that it must be shown with. */
const BACK = 0.9;
const MIN_BACK = 300;

export interface Story {
  visitors: Visitors;
  fired: Promise<RetrainRequest>;
  /** How the pipeline ended. */
  finished: Promise<{ result: string; version: string }>;
  /** Labels that the site has. */
  countLabels: () => number;
  log: (line: string) => void;
  mark: (text: string) => void;
}

/** Throws when a step does not happen in its time, or when the accuracy does not come back. */
export async function story({ visitors, fired, finished, countLabels, log, mark }: Story): Promise<void> {
  const random = seeded(7);
  const [upright, leaning] = [heldOut(), training()];
  shuffle(upright, random);
  shuffle(leaning, random);
  visitors.write(() => nextOf(upright));
  await pause(BEFORE_MS);
  visitors.check();
  log(`Before: ${share(visitors.reads)}.`);
  const shiftedAt = Date.now();
  mark("another writer");
  log(`From now on the digits lean by ${DEGREES} degrees: another writer.`);
  visitors.write(() => turned(nextOf(leaning), DEGREES));
  const request = await within(fired, FIRE_MS, "the trigger to fire");
  mark("trigger");
  visitors.check();
  log(`The webhook has arrived, signed: run ${request.id}, trigger ${request.trigger}, ${countLabels()} labels.`);
  log(`Since the shift: ${share(visitors.reads.filter(({ at }) => at >= shiftedAt))}.`);
  const watching = watchVersions(visitors, mark, log);
  const outcome = await within(finished, RUN_MS, "the pipeline").finally(() => watching.stop());
  if (outcome.result !== "promoted") throw new Error(`The pipeline ended with ${outcome.result}.`);
  mark("promoted");
  await within(allRun(visitors, outcome.version), 60_000, `all pages to run ${outcome.version}`);
  const promotedAt = Date.now();
  log(`All pages run ${outcome.version}.`);
  await pause(AFTER_MS);
  visitors.check();
  const after = visitors.reads.filter(({ at }) => at >= promotedAt);
  log(`After: ${share(after)}.`);
  const back = after.filter(({ isRight }) => isRight).length / after.length;
  if (after.length < MIN_BACK || back < BACK) throw new Error(`The accuracy is not back: ${share(after)}.`);
}

/** Marks the moment at which the first page runs the canary. */
function watchVersions(visitors: Visitors, mark: (text: string) => void, log: (line: string) => void) {
  const timer = setInterval(() => {
    const first = visitors.reads.find(({ arm }) => arm === "canary");
    if (!first) return;
    clearInterval(timer);
    mark("canary");
    log(`A page runs the canary ${first.version}.`);
  }, 500);
  return { stop: () => clearInterval(timer) };
}

async function allRun(visitors: Visitors, version: string): Promise<void> {
  while (!(await visitors.versions()).every((one) => one.version === version)) await pause(500);
}

/** Each digit once: nothing that is measured was trained on. */
function nextOf(digits: Digit[]): Digit {
  const digit = digits.pop();
  if (!digit) throw new Error("There are no digits left; the demo took too long.");
  return digit;
}

function share(reads: readonly Read[]): string {
  const right = reads.filter(({ isRight }) => isRight).length;
  return `${((100 * right) / reads.length).toFixed(1)} % of ${reads.length} digits read right`;
}
