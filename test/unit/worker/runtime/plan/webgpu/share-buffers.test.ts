// Tensors share a buffer only where they are never needed at the same time, and it is large enough for each of them.
import fc from "fast-check";
import { expect, test } from "vitest";
import { shareBuffers } from "../../../../../../src/worker/runtime/plan/webgpu/share-buffers.js";

const lifetimes = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 64 }), born: fc.nat(20), length: fc.integer({ min: 1, max: 8 }) }), { maxLength: 40 }) // biome-ignore format: one line
  .map((all) => all.map(({ bytes, born, length }, id) => ({ id, bytes, born, dies: born + length })));

test("no two that live at the same step share a buffer, and each fits", () => {
  fc.assert(
    fc.property(lifetimes, (tensors) => {
      const { sizes, buffers } = shareBuffers(tensors);
      for (const one of tensors) {
        const index = buffers.get(one.id) as number;
        expect(sizes[index]).toBeGreaterThanOrEqual(one.bytes);
        for (const other of tensors)
          if (other !== one && buffers.get(other.id) === index)
            expect(other.dies <= one.born || one.dies <= other.born).toBe(true);
      }
      // A buffer is as large as its largest tensor.
      for (const [index, size] of sizes.entries())
        expect(Math.max(...tensors.filter(({ id }) => buffers.get(id) === index).map(({ bytes }) => bytes))).toBe(size);
    }),
  );
});

test("a chain of equal tensors takes two buffers, and one that outlives the run takes its own", () => {
  const chain = Array.from({ length: 6 }, (_, id) => ({ id, bytes: 100, born: id, dies: id + 2 }));
  expect(shareBuffers(chain).sizes).toEqual([100, 100]);
  const output = { id: 6, bytes: 40, born: 1, dies: Number.POSITIVE_INFINITY };
  expect(shareBuffers([...chain, output]).sizes).toEqual([100, 100, 40]);
});

test("the smallest free buffer is taken", () => {
  const tensors = [
    { id: 0, bytes: 100, born: 0, dies: 1 },
    { id: 1, bytes: 50, born: 0, dies: 1 },
    { id: 2, bytes: 20, born: 1, dies: 2 },
  ];
  const { sizes, buffers } = shareBuffers(tensors);
  expect(sizes).toEqual([100, 50]);
  expect(buffers.get(2)).toBe(1);
});
