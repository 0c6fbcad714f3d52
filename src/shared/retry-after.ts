// Reads the HTTP header `Retry-After`.

/**
 * Milliseconds to wait by a `Retry-After` header in seconds or as a date (RFC 9110, 10.2.3); undefined for a missing or unreadable value
 * and a date in the past.
 * @param now - The current time in epoch milliseconds.
 */
export function parseRetryAfter(value: string | null, now = Date.now()): number | undefined {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms >= 0 ? ms : undefined;
}
