import fc from "fast-check";
import { expect, test } from "vitest";
import { loadChecksum, xxh64 } from "../../../../../src/worker/package/store/checksum.js";

const bytesOf = (text: string) => new TextEncoder().encode(text).buffer;

test("before it is loaded there is no checksum", () => {
  expect(xxh64(bytesOf("a"))).toBeUndefined();
});

test("texts have the hashes of the specification's implementations", async () => {
  await loadChecksum();
  expect(xxh64(new ArrayBuffer(0))).toBe("ef46db3751d8e999");
  expect(xxh64(bytesOf("a"))).toBe("d24ec4f1a98c6e5b");
  expect(xxh64(bytesOf("abc"))).toBe("44bc2cf5ad770999");
  expect(xxh64(bytesOf("Nobody inspects the spammish repetition"))).toBe("fbcea83c8a378bf1");
});

test("property: one flipped bit changes it, at any place of any piece", async () => {
  await loadChecksum();
  const length = fc.constantFrom(1, 31, 32, 33, 65_535, 65_536, 65_537, 200_001);
  fc.assert(
    fc.property(
      length,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(7),
      (size, place, bit) => {
        const bytes = new Uint8Array(size).fill(7);
        const before = xxh64(bytes.buffer);
        expect(xxh64(bytes.buffer)).toBe(before);
        const at = Math.floor(place * size);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        expect(xxh64(bytes.buffer)).not.toBe(before);
      },
    ),
  );
});
