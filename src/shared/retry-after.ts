// Reads the HTTP header Retry-After.

// A timer of more milliseconds than a 32-bit integer holds ends at once: a host that says "in 115 days" would be asked without pause.
const MAX_WAIT_MS = 2 ** 31 - 1;

/**
 * Milliseconds from `now` until a request may be repeated: from seconds or an HTTP date (RFC 9110, 10.2.3). 0 for a date that has
 * passed, at most 24.8 days, undefined where the header is missing or neither of the two.
 * @param value - The header, as `headers.get("retry-after")` returns it.
 * @param now - Epoch milliseconds.
 */
export function retryAfterOf(value: string | null, now: number): number | undefined {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(MAX_WAIT_MS, Math.max(0, ms)) : undefined;
}
