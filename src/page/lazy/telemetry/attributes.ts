// Bounds the attributes of figures and events.

import type { TelemetryEvent } from "./types.js";

/** Attributes of an event; those that are undefined or not finite are left out. */
export type EventAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

const MAX_CHARS = 128;

/** Without attributes that are missing or not finite; strings are shortened. */
export function boundAttributes(attributes: EventAttributes): TelemetryEvent["attributes"] {
  const kept: TelemetryEvent["attributes"] = {};
  for (const [key, value] of Object.entries(attributes)) {
    // The message was shortened by its scrubbing.
    if (typeof value === "string") kept[key] = key === "exception.message" ? value : value.slice(0, MAX_CHARS);
    else if (typeof value === "boolean" || Number.isFinite(value)) kept[key] = value as number | boolean;
  }
  return kept;
}
