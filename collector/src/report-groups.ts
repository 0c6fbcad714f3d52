// Series that are looked at together: grouped by attributes, summed, step by step; pure.
import type { Attributes } from "./records.js";
import type { Slot, Span } from "./slots.js";
import { quantile } from "./statistics.js";

export type Named = Record<string, string>;

/** A series with its attributes by name, and what it grew by, step by step. */
export interface Grown {
  at: Named;
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
  at: Named;
  grown: Grown[];
}

export function grouped(series: Grown[], keys: string[]): Group[] {
  return [...groupBy(series, ({ at }) => JSON.stringify(keys.map((key) => at[key])))].map(([key, grown]) => ({
    ...{ key, grown },
    at: Object.fromEntries(
      keys.flatMap((name) => (grown[0]?.at[name] === undefined ? [] : [[name, grown[0].at[name]]])),
    ) as Named,
  }));
}

export function counts(series: Grown[], key: string): [string, number][] {
  return grouped(series, [key]).map(({ at, grown }) => [at[key] ?? "", total(grown, "sum")]);
}

/** The value of each step in which something came. */
export function steps<T>(grown: Grown[], { from, step }: Span, value: (grown: Grown[]) => T): ({ time: number } & T)[] {
  const slots = [...new Set(grown.flatMap(({ slots }) => slots.map(({ slot }) => slot)))].sort((a, b) => a - b);
  return slots.map((slot) => {
    const within = grown.map((one) => ({ ...one, slots: one.slots.filter((each) => each.slot === slot) }));
    return { time: from + slot * step, ...value(within.filter((one) => one.slots.length > 0)) };
  });
}

export function total(grown: Grown[], field: "count" | "sum"): number {
  return grown.reduce((sum, { slots }) => sum + slots.reduce((all, slot) => all + slot[field], 0), 0);
}

export function bucketsOf(grown: Grown[]): number[] {
  const buckets = new Array<number>((grown[0]?.bounds.length ?? 0) + 1).fill(0);
  for (const { slots } of grown)
    for (const slot of slots) for (const [i, count] of slot.buckets.entries()) buckets[i] = (buckets[i] ?? 0) + count;
  return buckets;
}

export function spread(grown: Grown[]): { count: number; p50: number; p95: number; p99: number } {
  const [bounds, buckets] = [grown[0]?.bounds ?? [], bucketsOf(grown)];
  const at = (q: number) => quantile(q, bounds, buckets);
  return { count: total(grown, "count"), p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

export function named(attributes: Attributes): Named {
  return Object.fromEntries(attributes);
}
