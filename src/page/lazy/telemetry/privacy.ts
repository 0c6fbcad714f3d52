// What keeps people out of the figures: scrubbed messages, randomised responses, the browser's own wish.

// Anything that may tell who or what: addresses, paths, mail, quotations, hashes, keys, and long numbers.
const TELLING = [
  /\b[a-z][a-z0-9+.-]*:(?:\/\/)?[^\s"'<>)]+/gi,
  /[^\s@"'<>]+@[^\s@"'<>]+/g,
  /"[^"]*"?|'[^']*'?|`[^`]*`?|“[^”]*”?|«[^»]*»?/g,
  /(?:[a-z]:)?[\w.~%@-]*[\\/][^\s"'<>)]*/gi,
  /\b(?=\w*\d)[\w+=-]{12,}/g,
  /\d[\d\s.,:-]{3,}\d/g,
];
const MAX_BYTES = 256;

/** At most 256 bytes of what is left of a message when all that may be somebody's is taken out. */
export function scrub(message: string): string {
  let text = message.slice(0, 4 * MAX_BYTES);
  for (const pattern of TELLING) text = text.replace(pattern, "…");
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_BYTES);
  // A character that was cut in two is none.
  return new TextDecoder().decode(bytes).replace(/\uFFFD$/, "");
}

/**
 * k-ary randomised response (Kairouz, Bonawitz, Ramage 2016): the truth with probability e^epsilon / (e^epsilon + k - 1), else any of the
 * k - 1 others alike. `random` gives numbers from 0 to 1.
 */
export function randomised(truth: number, k: number, epsilon: number, random: () => number): number {
  const odds = Math.exp(epsilon);
  if (k < 2 || random() < odds / (odds + k - 1)) return truth;
  const other = Math.floor(random() * (k - 1));
  return other < truth ? other : other + 1;
}

/** True when the visitor's browser asks not to be followed: Global Privacy Control, or its deprecated forerunner. */
export function isPrivate(): boolean {
  const { globalPrivacyControl, doNotTrack } = (globalThis.navigator ?? {}) as {
    globalPrivacyControl?: boolean;
    doNotTrack?: string | null;
  };
  return globalPrivacyControl === true || doNotTrack === "1";
}

export function secureRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32;
}
