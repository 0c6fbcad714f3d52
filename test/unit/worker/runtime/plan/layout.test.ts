// Tensors that live at the same time never share memory, and the whole is not much larger than what lives at once.
import fc from "fast-check";
import { expect, test } from "vitest";
import { align, layOut } from "../../../../../src/worker/runtime/plan/layout.js";
import type { PlannedTensor } from "../../../../../src/worker/runtime/plan/steps.js";

const STEPS = 40;

const tensors = fc
  .array(fc.record({ size: fc.integer({ min: 0, max: 5_000 }), born: fc.nat(STEPS - 1), life: fc.integer({ min: 1, max: 6 }) }), { maxLength: 80 }) // biome-ignore format: one line
  .map((list) =>
    list.map(({ size, born, life }, id): PlannedTensor => ({ id, size, dtype: "float32", born, dies: born + life })),
  );

const bytesOf = ({ size }: PlannedTensor): number => align(size * 4);

test("no two tensors share memory while both live", () => {
  fc.assert(
    fc.property(tensors, (all) => {
      const { offsets, bytes } = layOut(all);
      const place = (tensor: PlannedTensor) => offsets.get(tensor.id) as number;
      for (const [index, one] of all.entries()) {
        expect(place(one) % 64).toBe(0);
        expect(place(one) + bytesOf(one)).toBeLessThanOrEqual(bytes);
        for (const other of all.slice(index + 1)) {
          const live = one.born < other.dies && other.born < one.dies;
          const share = place(one) < place(other) + bytesOf(other) && place(other) < place(one) + bytesOf(one);
          expect(live && share && bytesOf(one) > 0 && bytesOf(other) > 0).toBe(false);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the memory is at most half as much again as the most that lives at one step", () => {
  fc.assert(
    fc.property(tensors, (all) => {
      const peak = Math.max(
        0,
        ...Array.from({ length: STEPS + 6 }, (_, step) =>
          all.filter(({ born, dies }) => born <= step && step < dies).reduce((sum, tensor) => sum + bytesOf(tensor), 0),
        ),
      );
      expect(layOut(all).bytes).toBeLessThanOrEqual(peak * 1.5);
    }),
    { numRuns: 500 },
  );
});

test("one that needs memory to the end keeps it", () => {
  const tensor = (id: number, born: number, dies: number): PlannedTensor => ({
    id,
    size: 16,
    dtype: "float32",
    born,
    dies,
  });
  const { offsets, bytes } = layOut([tensor(1, 0, Number.POSITIVE_INFINITY), tensor(2, 1, 2), tensor(3, 2, 3)]);
  expect(bytes).toBe(128);
  expect(offsets.get(2)).toBe(offsets.get(3));
  expect(offsets.get(1)).not.toBe(offsets.get(2));
});
