// Orders the items of a ranker by the posterior over the user's tastes, with or without exploration.
import { checkNumber, checkOneOf } from "../../lib/check-option.js";
import { BASE, priorOf } from "./event-model.js";
import type { ItemIndex } from "./item-index.js";
import { normalOf, type Posterior, sample } from "./posterior.js";
import type { RankedItem, RankOptions } from "./types.js";

/** One weight for the base score, one for each trait of the item index. */
interface Weights {
  base: number;
  traits: Float64Array;
}

// LinUCB's alpha (Li et al. 2010): with one standard deviation an unknown item is shown soon, and not for long.
const UCB_ALPHA = 1;

export interface RankingBasis {
  posterior: Posterior;
  /** The posterior's Cholesky factor, for `thompson`. */
  factor: Float64Array;
  /** Random numbers from 0 to 1, for `thompson`. */
  random: () => number;
}

export function rankItems(
  items: ItemIndex,
  basis: RankingBasis,
  { explore = "none", top = items.ids.length }: RankOptions,
): RankedItem[] {
  checkOneOf("explore", explore, ["none", "thompson", "ucb"]);
  checkNumber("top", top);
  const { posterior } = basis;
  const slots = Int32Array.from(items.traits, (trait) => posterior.slots.get(trait) ?? -1);
  const means = meansOf(items, posterior, slots);
  const scores = scoresOf(items, explore === "thompson" ? drawWeights(basis, slots) : means);
  const count = items.ids.length;
  const deviations = new Float64Array(count);
  const deviationAt = deviationOf(items, posterior, slots);
  if (explore === "ucb") {
    for (let i = 0; i < count; i += 1) {
      deviations[i] = deviationAt(i);
      scores[i] = (scores[i] as number) + UCB_ALPHA * (deviations[i] as number);
    }
  }
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  // Ties keep the items' order: a typed array's sort is stable.
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
  return Array.from(order.subarray(0, Math.max(0, top)), (index) => ({
    id: items.ids[index] as string,
    index,
    score: scores[index] as number,
    base: items.raw[index] as number,
    uncertainty: explore === "ucb" ? (deviations[index] as number) : deviationAt(index),
    reasons: reasonsOf(items, means, index),
  }));
}

function meansOf(items: ItemIndex, { means, slots: known, prior }: Posterior, slots: Int32Array): Weights {
  const base = known.get(BASE);
  return {
    base: base === undefined ? prior(BASE).mean : (means[base] as number),
    traits: Float64Array.from(items.traits, (trait, index) => {
      const slot = slots[index] as number;
      return slot < 0 ? prior(trait).mean : (means[slot] as number);
    }),
  };
}

/** Weights without evidence are drawn from their prior, so that unknown items are shown. */
function drawWeights({ posterior, factor, random }: RankingBasis, slots: Int32Array): Weights {
  const normal = normalOf(random);
  const values = sample(posterior, factor, normal);
  const fromPrior = (name: string) => {
    const { mean, variance } = priorOf(name);
    return mean + Math.sqrt(variance) * normal();
  };
  const base = posterior.slots.get(BASE);
  return {
    base: base === undefined ? fromPrior(BASE) : (values[base] as number),
    traits: Float64Array.from(slots, (slot) => (slot < 0 ? fromPrior("") : (values[slot] as number))),
  };
}

function scoresOf({ base, itemTraits, traitStarts }: ItemIndex, weights: Weights): Float64Array {
  return Float64Array.from(base, (own, index) => {
    let sum = own * weights.base;
    for (let at = traitStarts[index] as number; at < (traitStarts[index + 1] as number); at += 1) {
      sum += weights.traits[itemTraits[at] as number] as number;
    }
    return sum;
  });
}

/** Standard deviation of an item's score, by the covariance of the weights that it is the sum of. */
function deviationOf(items: ItemIndex, posterior: Posterior, slots: Int32Array): (index: number) => number {
  const { covariance, stride, prior } = posterior;
  const base = posterior.slots.get(BASE) ?? -1;
  const [baseVariance, traitVariance] = [prior(BASE).variance, prior("").variance];
  const at = (row: number, column: number) => covariance[row * stride + column] as number;
  return (index) => {
    const own = items.base[index] as number;
    const traits = items.itemTraits.subarray(items.traitStarts[index], items.traitStarts[index + 1]);
    let variance = own * own * (base < 0 ? baseVariance : at(base, base));
    for (let i = 0; i < traits.length; i += 1) {
      const row = slots[traits[i] as number] as number;
      if (row < 0) {
        variance += traitVariance;
        continue;
      }
      variance += at(row, row);
      if (base >= 0) variance += 2 * own * at(row, base);
      for (let j = 0; j < i; j += 1) {
        const column = slots[traits[j] as number] as number;
        if (column >= 0) variance += 2 * at(row, column);
      }
    }
    return Math.sqrt(Math.max(0, variance));
  };
}

function reasonsOf(
  { traits, itemTraits, traitStarts }: ItemIndex,
  weights: Weights,
  index: number,
): RankedItem["reasons"] {
  const reasons: RankedItem["reasons"] = [];
  for (let at = traitStarts[index] as number; at < (traitStarts[index + 1] as number); at += 1) {
    const trait = itemTraits[at] as number;
    const weight = weights.traits[trait] as number;
    if (weight > 0) reasons.push({ trait: traits[trait] as string, weight });
  }
  return reasons.sort((a, b) => b.weight - a.weight);
}
