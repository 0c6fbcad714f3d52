// Evaluates the retrained model against the running one on held-out digits, and decides whether it may be published.
import { type Digit, heldOut as upright } from "../../models/digits/data.js";
import { classify } from "../../models/digits/measure.js";
import { comparePaired, type PairedResult } from "./paired.js";

export interface Evaluation {
  /** On the site's digits that were held out. */
  site: PairedResult;
  /** On the 1,000 digits that the shipped model was measured with: what it could do it must still do. */
  shipped: PairedResult;
  isBetter: boolean;
  reason: string;
}

// Fewer digits cannot tell a better model from luck.
const MIN_HELD_OUT = 100;
/** Accuracy on the shipped digits that the new version may lose at most. */
const MAX_LOSS = 0.02;

/** `before` and `after`: paths of model.json. */
export async function evaluate(before: string, after: string, heldOut: Digit[]): Promise<Evaluation> {
  if (heldOut.length < MIN_HELD_OUT)
    throw new Error(
      `There are ${heldOut.length} held-out digits of the site, and ${MIN_HELD_OUT} are needed to compare.`,
    );
  const compare = async (digits: Digit[]) => {
    const right = async (path: string) => (await classify(path, digits)).map((best, i) => best === digits[i]?.label);
    return comparePaired(await right(before), await right(after));
  };
  const [site, shipped] = [await compare(heldOut), await compare(upright())];
  return { site, shipped, ...verdict(site, shipped) };
}

export function verdict(site: PairedResult, shipped: PairedResult): Pick<Evaluation, "isBetter" | "reason"> {
  if (!(site.low > 0 && site.p < 0.05))
    return { isBetter: false, reason: `on the site's held-out digits it is not better: ${text(site)}` };
  if (!(shipped.low > -MAX_LOSS))
    return {
      isBetter: false,
      reason: `on the digits it was shipped with it may be worse by 2 points: ${text(shipped)}`,
    };
  return { isBetter: true, reason: `on the site's held-out digits it is better: ${text(site)}` };
}

export function text({ n, before, after, difference, low, high, gained, lost, p }: PairedResult): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const points = (share: number) => `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)}`;
  return (
    `${percent(before)} before, ${percent(after)} after, of ${n} digits; ` +
    `difference ${points(difference)} points, 95 % interval ${points(low)} to ${points(high)}; ` +
    `${gained} gained, ${lost} lost, McNemar p = ${p < 1e-4 ? p.toExponential(1) : p.toFixed(4)}`
  );
}
