// `npx tsx scripts/architecture.ts`: updates the table of source files in docs/architecture.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./checks/paths.js";
import { withSourceTable } from "./checks/source-table.js";

const path = join(ROOT, "docs/architecture.md");
writeFileSync(path, withSourceTable(readFileSync(path, "utf8")));
