// The table of faults names tests that exist, and docs/faults.md is that table.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Fault, readFaults, toMarkdown, toTable } from "../../../scripts/faults/table.js";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const faults = readFaults(read("scripts/faults/faults.json"));

test.each(faults.map((fault) => [fault.id, fault.fault, fault] as const))(
  "%s %s has its test",
  (_id, _fault, { file, test }) => {
    expect(read(file)).toContain(test);
  },
);

test("docs/faults.md is the table (if not, run npm run --silent faults -- --markdown > docs/faults.md)", () => {
  expect(read("docs/faults.md")).toBe(toMarkdown(faults));
});

test("a test that fails is told in the table", () => {
  const [fault] = faults as [Fault];
  expect(toTable([fault], new Map([[fault, "fails"]]))).toContain(`${fault.file}, fails`);
});
