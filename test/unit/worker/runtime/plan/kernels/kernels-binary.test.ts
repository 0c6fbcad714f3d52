// The module that the repository holds is what its C files compile to, and keeps nothing in the memory that it works on.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileKernels, KERNELS_FILE, kernelsText } from "../../../../../../scripts/kernels.js";
import { KERNELS } from "../../../../../../src/worker/runtime/plan/kernels/kernels-binary.js";

test("the module is the one that the compiler makes of the C files", (context) => {
  const module = compileKernels();
  if (!module) return context.skip("there is no clang-19");
  expect(readFileSync(KERNELS_FILE, "utf8")).toBe(kernelsText(module));
});

/** The numbers of the sections that the module has. */
function sections(module: Buffer): number[] {
  const found: number[] = [];
  let at = 8;
  while (at < module.length) {
    found.push(module[at] as number);
    at += 1;
    let [length, shift, byte] = [0, 0, 0x80];
    for (; byte & 0x80; shift += 7) {
      byte = module[at++] as number;
      length |= (byte & 0x7f) << shift;
    }
    at += length;
  }
  return found;
}

test("the module has no data, and starts nothing", () => {
  const found = sections(Buffer.from(KERNELS, "base64"));
  const [IMPORTS, ELEMENTS, START, DATA] = [2, 9, 8, 11];
  expect(found).toContain(IMPORTS);
  for (const section of [ELEMENTS, START, DATA]) expect(found).not.toContain(section);
});
