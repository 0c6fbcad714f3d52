// The items that are ranked, laid out so that all of them are scored in a millisecond.

import { BASE, priorOf } from "./event-model.js";
import { normalOf, type Posterior, sample } from "./posterior.js";
import type { Refuse } from "./refuse.js";
import type { RankedItem, RankingItem } from "./types.js";

export interface ItemIndex {
  ids: string[];
  places: Map<string, number>;
  /** What the base model said, and that in deviations from the mean of all. */
  raw: Float32Array;
  base: Float64Array;
  /** Traits that are learned; those of item i are `held` from `starts[i]` to `starts[i + 1]`, by their place here. */
  traits: string[];
  held: Int32Array;
  starts: Int32Array;
}

export const MAX_TRAITS = 64;
export const MAX_NAME = 200;

/** Throws `input_invalid` for what cannot be ranked. */
export function checkItems(items: RankingItem[], refuse: Refuse): void {
  const seen = new Set<string>();
  const width = items[0]?.features?.length;
  for (const [index, item] of items.entries()) {
    const problem = problemOf(item, width) ?? (seen.has(item.id) ? "its id was there before" : undefined);
    if (problem) refuse("input_invalid", `Item ${index} cannot be ranked: ${problem}.`, { index });
    seen.add(item.id);
  }
}

function problemOf(item: RankingItem, width: number | undefined): string | undefined {
  if (!isName(item?.id)) return `its id is no text of 1 to ${MAX_NAME} characters`;
  if (!(item.features instanceof Float32Array)) return "its features are no Float32Array";
  if (item.features.length !== width) return `it has ${item.features.length} features, the first item has ${width}`;
  if (!isTraits(item.traits)) return `its traits are no list of at most ${MAX_TRAITS} different names`;
  return undefined;
}

/** The items' rows, one after the other. */
export function joinFeatures(items: RankingItem[]): Float32Array {
  const width = items[0]?.features.length ?? 0;
  const all = new Float32Array(items.length * width);
  for (const [index, { features }] of items.entries()) all.set(features, index * width);
  return all;
}

/** Throws `output_invalid` where the base model did not score each item. */
export function checkScores(scores: Float32Array, count: number, refuse: Refuse): void {
  if (scores.length === count && scores.every(Number.isFinite)) return;
  const message = `The base model gave ${scores.length} scores for ${count} items, or one that is no number. Check the items' features.`;
  refuse("output_invalid", message, { scores: scores.length, items: count });
}

/** What begins with a line break is a name of ours. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= MAX_NAME && !value.startsWith("\n");

export const isTraits = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_TRAITS && value.every(isName) && new Set(value).size === value.length;

/** A trait of fewer than `least` items is left out: what is learned of it could raise next to nothing. */
export function createItemIndex(items: RankingItem[], raw: Float32Array, least: number): ItemIndex {
  const counts = new Map<string, number>();
  for (const { traits } of items) for (const trait of traits) counts.set(trait, (counts.get(trait) ?? 0) + 1);
  const traits = [...counts].filter(([, count]) => count >= least).map(([trait]) => trait);
  const numbers = new Map(traits.map((trait, index) => [trait, index]));
  const held: number[] = [];
  const starts = new Int32Array(items.length + 1);
  for (const [index, item] of items.entries()) {
    for (const trait of item.traits) {
      const number = numbers.get(trait);
      if (number !== undefined) held.push(number);
    }
    starts[index + 1] = held.length;
  }
  const ids = items.map(({ id }) => id);
  const places = new Map(ids.map((id, index) => [id, index]));
  return { ids, places, raw, base: standardised(raw), traits, held: Int32Array.from(held), starts };
}

function standardised(raw: Float32Array): Float64Array {
  const mean = raw.reduce((sum, score) => sum + score, 0) / raw.length;
  const variance = raw.reduce((sum, score) => sum + (score - mean) ** 2, 0) / raw.length;
  // Of items that all score the same, none is above another.
  const deviation = variance > 0 ? Math.sqrt(variance) : 1;
  return Float64Array.from(raw, (score) => (score - mean) / deviation);
}

export function traitsOf({ traits, held, starts }: ItemIndex, index: number): string[] {
  return Array.from(held.subarray(starts[index], starts[index + 1]), (number) => traits[number] as string);
}

export type Explore = "none" | "thompson" | "ucb";

export interface RankOptions {
  explore?: Explore;
  top?: number;
}

/** Weights by the shelf's own numbers. */
interface Weights {
  base: number;
  traits: Float64Array;
}

// LinUCB's alpha (Li et al. 2010): one deviation, so that an item of which nothing is known comes up, and does not stay for long.
const OPTIMISM = 1;

/** `factor` is the posterior's, for `thompson`. */
export function rankItems(
  shelf: ItemIndex,
  posterior: Posterior,
  factor: Float64Array,
  random: () => number,
  { explore = "none", top = shelf.ids.length }: RankOptions,
): RankedItem[] {
  const slots = Int32Array.from(shelf.traits, (trait) => posterior.slots.get(trait) ?? -1);
  const believed = meansOf(shelf, posterior, slots);
  const scores = sums(shelf, explore === "thompson" ? drawn(posterior, factor, slots, random) : believed);
  const count = shelf.ids.length;
  const deviations = new Float64Array(count);
  const deviate = deviationOf(shelf, posterior, slots);
  if (explore === "ucb") {
    for (let i = 0; i < count; i += 1) {
      deviations[i] = deviate(i);
      scores[i] = (scores[i] as number) + OPTIMISM * (deviations[i] as number);
    }
  }
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  // Ties stay in the items' own order: a typed array's sort is stable.
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
  return Array.from(order.subarray(0, Math.max(0, top)), (index) => ({
    id: shelf.ids[index] as string,
    index,
    score: scores[index] as number,
    base: shelf.raw[index] as number,
    uncertainty: explore === "ucb" ? (deviations[index] as number) : deviate(index),
    reasons: reasonsOf(shelf, believed, index),
  }));
}

function meansOf(shelf: ItemIndex, { means, slots: known, prior }: Posterior, slots: Int32Array): Weights {
  const base = known.get(BASE);
  return {
    base: base === undefined ? prior(BASE).mean : (means[base] as number),
    traits: Float64Array.from(shelf.traits, (trait, number) => {
      const slot = slots[number] as number;
      return slot < 0 ? prior(trait).mean : (means[slot] as number);
    }),
  };
}

/** Weights that were not met are drawn from their prior: that is what makes the unknown come up. */
function drawn(posterior: Posterior, factor: Float64Array, slots: Int32Array, random: () => number): Weights {
  const normal = normalOf(random);
  const values = sample(posterior, factor, normal);
  const fresh = (name: string) => {
    const { mean, variance } = priorOf(name);
    return mean + Math.sqrt(variance) * normal();
  };
  const base = posterior.slots.get(BASE);
  return {
    base: base === undefined ? fresh(BASE) : (values[base] as number),
    traits: Float64Array.from(slots, (slot) => (slot < 0 ? fresh("") : (values[slot] as number))),
  };
}

function sums({ base, held, starts }: ItemIndex, weights: Weights): Float64Array {
  return Float64Array.from(base, (own, index) => {
    let sum = own * weights.base;
    for (let at = starts[index] as number; at < (starts[index + 1] as number); at += 1) {
      sum += weights.traits[held[at] as number] as number;
    }
    return sum;
  });
}

/** Of an item's score, by the covariance of the weights it is the sum of. */
function deviationOf(shelf: ItemIndex, posterior: Posterior, slots: Int32Array): (index: number) => number {
  const { covariance, stride, prior } = posterior;
  const base = posterior.slots.get(BASE) ?? -1;
  const [trusted, taste] = [prior(BASE).variance, prior("").variance];
  const at = (row: number, column: number) => covariance[row * stride + column] as number;
  return (index) => {
    const own = shelf.base[index] as number;
    const held = shelf.held.subarray(shelf.starts[index], shelf.starts[index + 1]);
    let variance = own * own * (base < 0 ? trusted : at(base, base));
    for (let i = 0; i < held.length; i += 1) {
      const row = slots[held[i] as number] as number;
      if (row < 0) {
        variance += taste;
        continue;
      }
      variance += at(row, row);
      if (base >= 0) variance += 2 * own * at(row, base);
      for (let j = 0; j < i; j += 1) {
        const column = slots[held[j] as number] as number;
        if (column >= 0) variance += 2 * at(row, column);
      }
    }
    return Math.sqrt(Math.max(0, variance));
  };
}

function reasonsOf({ traits, held, starts }: ItemIndex, weights: Weights, index: number): RankedItem["reasons"] {
  const reasons: RankedItem["reasons"] = [];
  for (let at = starts[index] as number; at < (starts[index + 1] as number); at += 1) {
    const number = held[at] as number;
    const weight = weights.traits[number] as number;
    if (weight > 0) reasons.push({ trait: traits[number] as string, weight });
  }
  return reasons.sort((a, b) => b.weight - a.weight);
}
