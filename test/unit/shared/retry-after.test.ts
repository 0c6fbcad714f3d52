// Retry-After: seconds, an HTTP date, or nothing of use.
import { expect, it } from "vitest";
import { retryAfterOf } from "../../../src/shared/retry-after.js";

const NOW = Date.UTC(2026, 0, 31, 12);

it.each<[string | null, number | undefined]>([
  [null, undefined],
  ["", undefined],
  ["soon", undefined],
  ["0", 0],
  ["12", 12_000],
  [" 12 ", 12_000],
  [new Date(NOW + 9_000).toUTCString(), 9_000],
  [new Date(NOW - 9_000).toUTCString(), 0],
  // The longest that a timer waits.
  ["9999999", 2 ** 31 - 1],
  [new Date(NOW + 2 ** 40).toUTCString(), 2 ** 31 - 1],
])("%j is %j milliseconds", (value, ms) => {
  expect(retryAfterOf(value, NOW)).toBe(ms);
});
