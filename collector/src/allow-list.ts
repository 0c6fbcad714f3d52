// Which attributes are stored: the closed set that the library sends, and those that the options add.
import type { Attributes } from "./records.js";

/** A name that ends with a dot stands for all that begin with it. */
const KNOWN = ["ml.", "error.type", "exception.", "event.name", "feature_flag.", "otel.", "service."];

export interface AllowList {
  /** Returns the allowed attributes; a record is stored without the others. */
  keep(attributes: Attributes): Attributes;
  /** Number of attributes that were left out since the collector started. */
  dropped(): number;
}

export function createAllowList(more: readonly string[] = []): AllowList {
  const all = [...KNOWN, ...more];
  const names = new Set(all.filter((name) => !name.endsWith(".")));
  const prefixes = all.filter((name) => name.endsWith("."));
  const isAllowed = (key: string) => names.has(key) || prefixes.some((prefix) => key.startsWith(prefix));
  let dropped = 0;
  return {
    keep(attributes) {
      const kept = attributes.filter(([key]) => isAllowed(key));
      dropped += attributes.length - kept.length;
      return kept.length === attributes.length ? attributes : kept;
    },
    dropped: () => dropped,
  };
}
