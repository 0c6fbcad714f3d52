// Reads rows and export files that name their fields as earlier releases did; no other file knows those names.

const FORMER_NAMES = {
  addedAt: "time",
  order: "place",
  cipherText: "box",
  trainedAt: "time",
  durationMs: "milliseconds",
} as const;

type RenamedField = keyof typeof FORMER_NAMES;

/** A copy of `stored` in which each of `fields` has its current name. */
export function withCurrentNames(stored: object, fields: readonly RenamedField[]): Record<string, unknown> {
  const current: Record<string, unknown> = { ...stored };
  for (const field of fields) {
    const former = FORMER_NAMES[field];
    if (Object.hasOwn(current, field) || !Object.hasOwn(current, former)) continue;
    current[field] = current[former];
    delete current[former];
  }
  return current;
}
