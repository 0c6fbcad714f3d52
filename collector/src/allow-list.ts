// Which attributes are stored: the closed set that the library sends, and those that the options add.
import type { Attributes } from "./records.js";

const KNOWN = ["ml.", "error.type", "exception.", "event.name", "feature_flag.", "otel.", "service."];

/** Whether a name is one of `all`; one of them that ends with a dot stands for all that begin with it. */
export function nameMatcher(all: readonly string[]): (name: string) => boolean {
  const names = new Set(all.filter((name) => !name.endsWith(".")));
  const prefixes = all.filter((name) => name.endsWith("."));
  return (name) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

export interface AllowList {
  /** Returns the allowed attributes; a record is stored without the others. */
  keep(attributes: Attributes): Attributes;
  /** Number of attributes that were left out since the collector started. */
  dropped(): number;
}

export function createAllowList(more: readonly string[] = []): AllowList {
  const isAllowed = nameMatcher([...KNOWN, ...more]);
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
