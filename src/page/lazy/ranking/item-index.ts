// The items of a ranker, laid out so that all of them are scored in a millisecond.
import { InsituError } from "../../../shared/errors.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import type { RankingItem } from "./types.js";

export interface ItemIndex {
  ids: string[];
  /** Index of each item by its id. */
  indices: Map<string, number>;
  /** Scores of the base model. */
  raw: Float32Array;
  /** The same scores, standardized: in standard deviations from their mean. */
  base: Float64Array;
  /** Traits that are learned. */
  traits: string[];
  /** Indices into `traits`; those of item i are at `traitStarts[i]` up to `traitStarts[i + 1]`. */
  itemTraits: Int32Array;
  traitStarts: Int32Array;
}

const MAX_TRAITS = 64;
const MAX_NAME_LENGTH = 200;

/** Throws `input_invalid` for items that cannot be ranked. */
export function checkItems(items: RankingItem[]): void {
  if (!Array.isArray(items)) throw invalidOption("items", items, "an array of { id, features, traits }");
  const seen = new Set<string>();
  const width = items[0]?.features?.length;
  for (const [index, item] of items.entries()) {
    const problem = problemOf(item, width) ?? (seen.has(item.id) ? "another item has the same id" : undefined);
    if (problem) throw new InsituError("input_invalid", `Item ${index} cannot be ranked: ${problem}.`, { index });
    seen.add(item.id);
  }
}

function problemOf(item: RankingItem, width: number | undefined): string | undefined {
  if (!isName(item?.id)) return `its id must be a string of 1 to ${MAX_NAME_LENGTH} characters`;
  if (!(item.features instanceof Float32Array)) return "its features must be a Float32Array";
  if (item.features.length !== width) return `it has ${item.features.length} features, the first item has ${width}`;
  if (!isTraits(item.traits))
    return `its traits must be an array of at most ${MAX_TRAITS} different strings of 1 to ${MAX_NAME_LENGTH} characters`;
  return undefined;
}

/** The items' features, one after the other. */
export function joinFeatures(items: RankingItem[]): Float32Array {
  const width = items[0]?.features.length ?? 0;
  const all = new Float32Array(items.length * width);
  for (const [index, { features }] of items.entries()) all.set(features, index * width);
  return all;
}

/** Throws `output_invalid` where the base model did not score each item. */
export function checkScores(scores: Float32Array, count: number): void {
  if (scores.length === count && scores.every(Number.isFinite)) return;
  const message = `The items cannot be ranked: the base model returned ${scores.length} scores for ${count} items, or a score that is not a number. Check the items' features.`;
  throw new InsituError("output_invalid", message, { scores: scores.length, items: count });
}

/** Names that begin with a line break are the library's own. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH && !value.startsWith("\n");

export const isTraits = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_TRAITS && value.every(isName) && new Set(value).size === value.length;

/** @param minItems - Traits that fewer items have are left out: learning them would hardly change the order. */
export function createItemIndex(items: RankingItem[], raw: Float32Array, minItems: number): ItemIndex {
  const counts = new Map<string, number>();
  for (const { traits } of items) for (const trait of traits) counts.set(trait, (counts.get(trait) ?? 0) + 1);
  const traits = [...counts].filter(([, count]) => count >= minItems).map(([trait]) => trait);
  const traitIndices = new Map(traits.map((trait, index) => [trait, index]));
  const itemTraits: number[] = [];
  const traitStarts = new Int32Array(items.length + 1);
  for (const [index, item] of items.entries()) {
    for (const trait of item.traits) {
      const traitIndex = traitIndices.get(trait);
      if (traitIndex !== undefined) itemTraits.push(traitIndex);
    }
    traitStarts[index + 1] = itemTraits.length;
  }
  const ids = items.map(({ id }) => id);
  const indices = new Map(ids.map((id, index) => [id, index]));
  const base = standardize(raw);
  return { ids, indices, raw, base, traits, itemTraits: Int32Array.from(itemTraits), traitStarts };
}

function standardize(raw: Float32Array): Float64Array {
  const mean = raw.reduce((sum, score) => sum + score, 0) / raw.length;
  const variance = raw.reduce((sum, score) => sum + (score - mean) ** 2, 0) / raw.length;
  // Where all items have the same score.
  const deviation = variance > 0 ? Math.sqrt(variance) : 1;
  return Float64Array.from(raw, (score) => (score - mean) / deviation);
}

export function traitsOf({ traits, itemTraits, traitStarts }: ItemIndex, index: number): string[] {
  const own = itemTraits.subarray(traitStarts[index], traitStarts[index + 1]);
  return Array.from(own, (trait) => traits[trait] as string);
}
