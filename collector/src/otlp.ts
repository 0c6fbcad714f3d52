// What both signals of OTLP's JSON share: resources, times, and how bad parts are rejected; pure.
import { MAX_CLOCK_SKEW_MS, MAX_RESOURCE_ATTRIBUTES } from "./limits.js";
import { attributes, isFields } from "./otlp-values.js";
import type { Attributes, Rejected } from "./records.js";
import { Unusable } from "./unusable.js";

export interface Parsed<Record> {
  records: Record[];
  rejected: Rejected[];
}

/** The body is not what the route accepts; nothing of it was used. */
export class BadBody extends Error {
  override name = "BadBody";
}

/** The attributes of a resource. */
export function readResource(resource: unknown, limit: number): Attributes {
  return isFields(resource)
    ? attributes(resource.attributes, "the resource's attributes", limit, MAX_RESOURCE_ATTRIBUTES)
    : [];
}

/** The entries of a request's top field. Throws `BadBody`. */
export function topEntries(body: unknown, field: string): readonly unknown[] {
  const entries = isFields(body) ? body[field] : undefined;
  if (!Array.isArray(entries)) throw new BadBody(`The body must be OTLP's JSON: an object with an array "${field}".`);
  return entries;
}

/** Nanoseconds as epoch milliseconds. A device's clock may be years off: it is clamped to a window around this machine's. */
export function toMilliseconds(time: string, now: number): number {
  if (time === "0") return now;
  const milliseconds = Number(BigInt(time) / 1_000_000n);
  return Math.min(now + MAX_CLOCK_SKEW_MS, Math.max(now - MAX_CLOCK_SKEW_MS, milliseconds));
}

/** Runs `work`; a part that is `Unusable` is counted as rejected, and the parts beside it are kept. */
export function attempt(rejected: Rejected[], work: () => void, count = 1): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    rejected.push({ count, reason: error.message, code: error.code });
  }
}
