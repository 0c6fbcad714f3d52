// Which distributions are watched, and what each is compared with; pure.
import type { Spread } from "../evidence/spread.js";
import { BINS, type Cell, MAX_CLASSES } from "../evidence/subjects.js";
import type { Reference } from "./measure.js";
import type { ReferenceProfile } from "./profile.js";

/** A cell's name in the report. */
export function targetOf({ subject, detail }: Cell): string {
  if (subject === "inputs") return detail;
  return subject === "missing" ? `${detail}.missing` : subject;
}

/** What nobody has said of a profile: a common size of one. Of 440 inputs the uncertainty of its quantiles alone is a PSI of 0.1. */
const UNKNOWN_SIZE = 1_000;
const UNIFORM = new Array<number>(BINS).fill(1 / BINS);

/** From the registered profile; of inputs also without one, since their quantiles are uniform by definition. Undefined: there is none. */
export function registeredReference(cell: Cell, profile: ReferenceProfile | undefined): Reference | undefined {
  const size = profile?.samples ?? UNKNOWN_SIZE;
  if (cell.subject === "inputs") return { shares: UNIFORM, size };
  if (!profile) return undefined;
  if (cell.subject === "missing") {
    const share = profile.missing[cell.detail];
    return share === undefined ? undefined : { shares: [1 - share, share], size };
  }
  const shares = cell.subject === "classes" ? profile.classes : profile.confidence;
  if (!shares) return undefined;
  return { shares: cell.detail === "" ? shares : randomised(shares, Number(cell.detail)), size };
}

/** As pages would report it: a class is itself with probability e^epsilon / (e^epsilon + k - 1), and each other one as often as any. */
function randomised(shares: readonly number[], epsilon: number): number[] {
  const all = shares.reduce((sum, share) => sum + share, 0);
  const other = 1 / (Math.exp(epsilon) + shares.length - 1);
  const own = Math.exp(epsilon) * other;
  return shares.map((share) => other + (own - other) * (share / all));
}

/** Bins of both: without the classes that a model does not have. */
export function binsOf(cell: Cell, reference: Reference, spread: Spread): Spread {
  if (cell.subject !== "classes") return spread;
  const size = Math.min(
    MAX_CLASSES,
    Math.max(reference.shares.length, spread.total.findLastIndex((count) => count > 0) + 1),
  );
  const part = (list: readonly number[]) => list.slice(0, size);
  return { ...spread, total: part(spread.total), squares: part(spread.squares), cross: part(spread.cross) };
}
