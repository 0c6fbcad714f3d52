// Bytes as hexadecimal, and random identifiers: of the right length, and never the same bytes twice.
import { expect, test } from "vitest";
import { randomHex, toHex } from "../../../src/shared/hex.js";

test("bytes have two lower-case digits each", () => {
  expect(toHex(Uint8Array.of(0, 1, 171, 255))).toBe("0001abff");
});

test("random identifiers have the length that is asked for, and none repeats", () => {
  const lengths = [16, 8, 16, 1, 1_000, 16, 1_024, 16];
  const all = Array.from({ length: 400 }, (_, n) => lengths[n % lengths.length] as number).map((bytes) => ({ bytes, hex: randomHex(bytes) })); // biome-ignore format: one line
  for (const { bytes, hex } of all) expect(hex).toMatch(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
  const long = all.filter(({ bytes }) => bytes >= 8).map(({ hex }) => hex.slice(0, 16));
  expect(new Set(long).size).toBe(long.length);
});
