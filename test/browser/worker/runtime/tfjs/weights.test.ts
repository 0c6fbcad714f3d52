// Weights stored as float16 or in one byte are the same numbers on every backend.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useDelivery } from "../../../../support/delivery.js";
import { makeGraph, republish } from "../../../../support/graphs.js";

const delivery = useDelivery();
const ROWS = 16;
const COLUMNS = 1024;
const [SCALE, MIN] = [0.5, -3];

/** Both signs and all but the highest exponents: 16 rows of 1024 are a quarter of all patterns. */
const halves = Uint16Array.from({ length: ROWS * COLUMNS }, (_, index) => (index * 4) & 0xbbff);
const bytes = Uint8Array.from({ length: ROWS * COLUMNS }, (_, index) => (index * 7) & 0xff);

/** IEEE 754 binary16 by its definition. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test.each(["wasm", "cpu"] as const)("float16 and uint8 tables give their numbers on %s", async (backend) => {
  await makeGraph(delivery.folder, { tables: [1, 2], rows: ROWS, files: "apart" });
  writeFileSync(join(delivery.folder, "table_0.bin"), halves);
  writeFileSync(join(delivery.folder, "table_1.bin"), bytes);
  republish(delivery.folder, (_manifest, { weightsManifest: [group] }) => {
    group.weights[0].quantization = { dtype: "float16" };
    group.weights[1].quantization = { dtype: "uint8", scale: SCALE, min: MIN };
  });
  const page = delivery.library.page;
  expect(await page.evaluate(() => "Float16Array" in window)).toBe(true);
  for (const id of [0, 7, 15]) {
    const { code, answer } = await delivery.load({ backends: [backend], id });
    const expected = [0, 1, 2].map((column) => {
      const at = id * COLUMNS + column;
      return Math.fround(half(halves[at] as number) + (bytes[at] as number) * SCALE + MIN);
    });
    expect({ code, answer }).toEqual({ code: "", answer: expected });
  }
});
