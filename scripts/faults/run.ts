// Runs the test files of the faults and reads what each came to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../checks/run.js";
import type { Fault, Outcome } from "./table.js";

interface Report {
  testResults: { name: string; status: "passed" | "failed" }[];
}

/** A fault passes when all tests of its file pass. Prints what the tests print; `folder` receives their report. */
export async function runTests(faults: readonly Fault[], folder: string): Promise<Map<Fault, Outcome>> {
  const files = [...new Set(faults.map(({ file }) => file))];
  const report = join(folder, "report.json");
  const run = command(
    "npx",
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
    ...files,
  );
  await run((text) => process.stderr.write(text));
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  return new Map(
    faults.map((fault) => {
      const found = testResults.find(({ name }) => name.endsWith(`/${fault.file}`));
      return [fault, found ? (found.status === "passed" ? "passes" : "fails") : "not run"];
    }),
  );
}
