// Tests that docs/architecture.md matches the source tree: its table of files, and every path that it names.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../../scripts/checks/paths.js";
import { firstSentence, missingPaths, sourceFiles, withSourceTable } from "../../../scripts/checks/source-table.js";

const document = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");

describe("docs/architecture.md", () => {
  it("lists every source file with its first line (if not, run npx tsx scripts/architecture.ts)", () => {
    expect(document).toBe(withSourceTable(document));
    for (const path of sourceFiles()) expect(document).toContain(`| \`${path}\` |`);
  });

  it("names only paths that exist", () => {
    expect(missingPaths(document)).toEqual([]);
  });
});

describe("the table of source files", () => {
  it("takes the sentence of the first line, after a shebang", () => {
    expect(firstSentence("// Does one thing.\nexport {};\n")).toBe("Does one thing.");
    expect(firstSentence("#!/usr/bin/env node\n// The command.\n")).toBe("The command.");
    expect(firstSentence("export {};\n")).toBeUndefined();
  });

  it("reports a path that does not exist", () => {
    expect(missingPaths("See `page/client.ts`, `worker/nothing.ts` and `worker/package/`.")).toEqual([
      "worker/nothing.ts",
    ]);
  });

  it("needs the markers in the document", () => {
    expect(() => withSourceTable("# Architecture\n")).toThrow(/must contain the lines/);
  });
});
