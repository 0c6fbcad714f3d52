// `npm run test:browsers`: runs the suite of all browsers, prints the support table and writes it into docs/browsers.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./checks/paths.js";
import { vitest } from "./checks/run.js";

const PAGE = join(ROOT, "docs", "browsers.md");
const BEGIN = "<!-- Written by `npm run test:browsers`. -->";
const END = "<!-- End. -->";

interface Report {
  testResults: {
    assertionResults: { title: string; status: string; meta: { browser?: string; note?: string } }[];
  }[];
}

/** A row for each test, a column for each browser of this machine. */
function tableOf(report: Report): string {
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const browsers = [...new Set(results.map(({ meta }) => meta.browser ?? "unknown"))];
  const cell = (title: string, browser: string) => {
    const found = results.find((result) => result.title === title && result.meta.browser === browser);
    const { note } = found?.meta ?? {};
    return `${found?.status === "passed" ? "yes" : "**no**"}${note ? `: ${note}` : ""}`;
  };
  const row = (...cells: string[]) => `| ${cells.join(" | ")} |`;
  return [
    row("what", ...browsers),
    row("---", ...browsers.map(() => "---")),
    ...[...new Set(results.map(({ title }) => title))].map((title) =>
      row(title, ...browsers.map((browser) => cell(title, browser))),
    ),
  ].join("\n");
}

const { failed } = await vitest("browsers")((text) => void process.stdout.write(text));
const table = tableOf(JSON.parse(readFileSync(join(ROOT, ".cache", "vitest", "browsers.json"), "utf8")) as Report);
console.log(`\n${table}`);
const page = readFileSync(PAGE, "utf8");
const [before] = page.split(BEGIN);
const after = page.split(END)[1];
if (after === undefined) throw new Error(`${PAGE} lacks the two comments between which the table stands.`);
writeFileSync(PAGE, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
process.exitCode = failed > 0 ? 1 : 0;
