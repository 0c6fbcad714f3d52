// Keeps personal data out of telemetry: scrubbed messages, randomised responses, the browser's privacy signals.

// Anything that may identify a person or a resource: URLs, paths, mail addresses, quotations, hashes, keys and long numbers.
const IDENTIFYING = [
  /\b[a-z][a-z0-9+.-]*:(?:\/\/)?[^\s"'<>)]+/gi,
  /[^\s@"'<>]+@[^\s@"'<>]+/g,
  /"[^"]*"?|'[^']*'?|`[^`]*`?|“[^”]*”?|«[^»]*»?/g,
  /(?:[a-z]:)?[\w.~%@-]*[\\/][^\s"'<>)]*/gi,
  /\b(?=\w*\d)[\w+=-]{12,}/g,
  /\d[\d\s.,:-]{3,}\d/g,
];
const MAX_BYTES = 256;

/** Replaces everything in a message that may identify somebody, and shortens it to 256 bytes. */
export function scrub(message: string): string {
  let text = message.slice(0, 4 * MAX_BYTES);
  for (const pattern of IDENTIFYING) text = text.replace(pattern, "…");
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_BYTES);
  // A character that was cut in two is removed.
  return new TextDecoder().decode(bytes).replace(/\uFFFD$/, "");
}

/**
 * k-ary randomised response (Kairouz, Bonawitz, Ramage 2016): returns `truth` with probability e^epsilon / (e^epsilon + k - 1), else one
 * of the k - 1 other values, each with the same probability. `random` returns numbers from 0 to 1.
 */
export function randomised(truth: number, k: number, epsilon: number, random: () => number): number {
  const odds = Math.exp(epsilon);
  if (k < 2 || random() < odds / (odds + k - 1)) return truth;
  const other = Math.floor(random() * (k - 1));
  return other < truth ? other : other + 1;
}

/** True when the browser sends a privacy signal: Global Privacy Control, or the deprecated Do Not Track. */
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
