// `npm run faults`: prints which faults were found by hostile testing, what happened before, what happens now, and which test shows it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { ROOT } from "./checks/paths.js";
import { runTests } from "./faults/run.js";
import { type Fault, readFaults, toMarkdown, toTable } from "./faults/table.js";

const { run, markdown } = new Command("npm run faults --")
  .description("Prints the faults that hostile testing found: before, after, and the test of each.")
  .option("--run", "runs the tests too, and prints what each comes to; takes some 20 minutes", false)
  .option("--markdown", "prints the table as docs/faults.md has it", false)
  .parse()
  .opts<{ run: boolean; markdown: boolean }>();

const faults: Fault[] = readFaults(readFileSync(join(ROOT, "scripts/faults/faults.json"), "utf8"));
if (markdown) {
  process.stdout.write(toMarkdown(faults));
} else {
  const folder = mkdtempSync(join(tmpdir(), "insitu-faults-"));
  try {
    const outcomes = run ? await runTests(faults, folder) : undefined;
    process.stdout.write(toTable(faults, outcomes));
    if (outcomes && faults.some((fault) => outcomes.get(fault) !== "passes")) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
