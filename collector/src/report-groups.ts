// Groups series by attributes, and sums them step by step; pure.
import type { Attributes } from "./records.js";
import type { Slot, Span } from "./slots.js";

/** Attributes by name. */
export type NamedAttributes = Record<string, string>;

/** A series with what it grew by, step by step. */
export interface GrownSeries {
  attributes: NamedAttributes;
  bounds: readonly number[];
  slots: Slot[];
}

/** `Map.groupBy`, which Node 20 lacks. */
export function groupBy<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

export interface Group {
  key: string;
  /** The attributes by which they are grouped. */
  attributes: NamedAttributes;
  series: GrownSeries[];
}

export function grouped(series: GrownSeries[], keys: string[]): Group[] {
  const groups = groupBy(series, ({ attributes }) => JSON.stringify(keys.map((key) => attributes[key])));
  return [...groups].map(([key, members]) => {
    const all = members[0]?.attributes ?? {};
    const attributes = Object.fromEntries(keys.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
    return { key, attributes, series: members };
  });
}

export function counts(series: GrownSeries[], key: string): [string, number][] {
  return grouped(series, [key]).map(({ attributes, series }) => [attributes[key] ?? "", total(series, "sum")]);
}

/** The value of each step in which something was received. */
export function steps<T>(
  series: GrownSeries[],
  { from, step }: Span,
  value: (series: GrownSeries[]) => T,
): ({ time: number } & T)[] {
  const bySlot = new Map<number, GrownSeries[]>();
  for (const { attributes, bounds, slots } of series)
    for (const one of slots) {
      const within = bySlot.get(one.slot);
      const part = { attributes, bounds, slots: [one] };
      if (within) within.push(part);
      else bySlot.set(one.slot, [part]);
    }
  return [...bySlot]
    .sort(([a], [b]) => a - b)
    .map(([slot, within]) => ({ time: from + slot * step, ...value(within) }));
}

export function total(series: GrownSeries[], field: "count" | "sum"): number {
  return series.reduce((sum, { slots }) => sum + slots.reduce((all, slot) => all + slot[field], 0), 0);
}

export function named(attributes: Attributes): NamedAttributes {
  return Object.fromEntries(attributes);
}
